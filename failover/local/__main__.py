"""`python -m failover.local KIND --directory DIR` starts one daemon."""

import sys

from failover.local.daemon import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
