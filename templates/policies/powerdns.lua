-- PowerDNS: a key that may change our names and types, and nothing else in the zone (lua-dnsupdate-policy-script).
--
--     pdnsutil generate-tsig-key failover-cut-over hmac-sha256
--     pdnsutil set-meta example.org TSIG-ALLOW-DNSUPDATE failover-cut-over
--
-- The metadata says which key may update the zone at all, this script what of it. Without the script the key could
-- change every record of the zone. The HTTP API's key has no scopes: do not give it to failover.

local KEY = "failover-cut-over"
local ALLOWED = {
    ["www.example.org"] = { [pdns.A] = true, [pdns.AAAA] = true, [pdns.CNAME] = true },
    ["_failover.service.example.org"] = { [pdns.TXT] = true },  -- in lower case
}

function updatepolicy(input)
    if input:getTsigName():toStringNoDot():lower() ~= KEY then
        return false
    end
    local types = ALLOWED[input:getQName():toStringNoDot():lower()]
    return types ~= nil and types[input:getQType()] == true
end
