-- Moves the clock of mock mode forward, if it stays within its bound: {"moved", offset} or {"bound"}; see mod.rs.
--
-- KEYS  1 the offset in milliseconds   ARGV  1, 2 the link's   3 by how much   4 the furthest it may be ahead
local offset = tonumber(redis.call('GET', KEYS[1]) or '0') + tonumber(ARGV[3])
if offset > tonumber(ARGV[4]) then
  return {'bound'}
end
offset = string.format('%.0f', offset)
redis.call('SET', KEYS[1], offset)
return {'moved', offset}
