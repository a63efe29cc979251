"""An OpenStack cloud as its API references (docs.openstack.org/api-ref) describe it: keystone, nova, glance, neutron.

One port serves all four, each below a path of its own, as a catalog tells: `auth_url` is where a client begins. The
cloud has a public provider network (`Ext-Net`, IPv4 and IPv6) and a private one; a second region stands in the catalog
and nowhere else.
"""

from tests.standins.openstack.compute import Compute as OpenStack

__all__ = ["OpenStack"]
