-- A node says that it is there and which keys it has, or is told why it must not serve.
--
-- KEYS  1 the keys of the fleet (hash):
--         index         -> "fingerprint name" of the key that carries the index of numbers
--         made:<tag>    -> "until name": data that this key made may be needed until then (ms)
--         node:<id>     -> "until tag,tag,...": a node that was there lately, and the keys it has
-- ARGV  1, 2 the link's   3 the node's id   4 fingerprint of its index key   5 name of its index key
--       6 how long a node counts as there (ms)   7 how long data of a key may be needed (ms)
--       then its keys, two arguments each: tag, name; the first makes new data
-- Gives {"joined"}, {"index", name that the store knows}, {"missing", name of a key whose data are needed} or
-- {"unshared", id of a node that cannot read what this one would make}.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local fleet, node = KEYS[1], ARGV[3]

local index = redis.call('HGET', fleet, 'index')
if index and string.match(index, '^%x+') ~= ARGV[4] then
  return {'index', string.match(index, ' (.*)$')}
end

local held, tags = {}, {}
for i = 8, #ARGV, 2 do
  held[ARGV[i]] = true
  tags[#tags + 1] = ARGV[i]
end
local making = ARGV[8]

local fields, gone = redis.call('HGETALL', fleet), {}
for i = 1, #fields, 2 do
  local kind, of = string.match(fields[i], '^(%a+):(.*)$')
  local until_ms, rest = string.match(fields[i + 1], '^(%d+) (.*)$')
  if kind and tonumber(until_ms) <= now then
    gone[#gone + 1] = fields[i]
  elseif kind == 'made' and not held[of] then
    return {'missing', rest}
  elseif kind == 'node' and of ~= node and not string.find(rest, making, 1, true) then
    return {'unshared', of}
  end
end

if #gone > 0 then
  redis.call('HDEL', fleet, unpack(gone))
end
redis.call('HSET', fleet,
  'index', index or (ARGV[4] .. ' ' .. ARGV[5]),
  'made:' .. making, string.format('%.0f %s', now + tonumber(ARGV[7]), ARGV[9]),
  'node:' .. node, string.format('%.0f %s', now + tonumber(ARGV[6]), table.concat(tags, ',')))
return {'joined'}
