-- Changes entries of the registry: all of them, or none.
--
-- KEYS  1 the entries (hash: "kind id" -> "version schema text")   2 what is known of all (hash: revision, bytes); one slot
-- ARGV  1, 2 the link's   3 most entries   4 most bytes   then four for each change:
--       "kind id", the version it must have ("" if it must not exist), "put" or "remove", "schema text"
-- Gives {"done", version}, {"conflict", number of the change, version found or ""} or {"full"}.
--
-- A version is the time in microseconds, or one more than the last if that is later: it rises, and one that a failover lost is
-- not given again to something else. 2^53 microseconds are 285 years.
local entries, about = KEYS[1], KEYS[2]
local max_entries, max_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])

for i = 5, #ARGV, 4 do
  local value = redis.call('HGET', entries, ARGV[i])
  local found = value and string.match(value, '^%d+') or ''
  if found ~= ARGV[i + 1] then
    return {'conflict', (i - 5) / 4, found}
  end
end

-- Names count without the space between kind and id, documents without version and schema.
local count, bytes = redis.call('HLEN', entries), tonumber(redis.call('HGET', about, 'bytes') or '0')
local count_before, bytes_before, sizes = count, bytes, {}
for i = 5, #ARGV, 4 do
  local name = ARGV[i]
  if sizes[name] == nil then
    local value = redis.call('HGET', entries, name)
    sizes[name] = value and #string.match(value, '^%d+ %d+ (.*)$') or false
  end
  if sizes[name] then
    count, bytes = count - 1, bytes - #name + 1 - sizes[name]
  end
  sizes[name] = false
  if ARGV[i + 2] == 'put' then
    sizes[name] = #string.match(ARGV[i + 3], '^%d+ (.*)$')
    count, bytes = count + 1, bytes + #name - 1 + sizes[name]
  end
end
if (count > count_before or bytes > bytes_before) and (count > max_entries or bytes > max_bytes) then
  return {'full'}
end

local now = redis.call('TIME')
local version = tonumber(now[1]) * 1000000 + tonumber(now[2])
version = math.max(version, tonumber(redis.call('HGET', about, 'revision') or '0') + 1)
version = string.format('%.0f', version)
for i = 5, #ARGV, 4 do
  if ARGV[i + 2] == 'put' then
    redis.call('HSET', entries, ARGV[i], version .. ' ' .. ARGV[i + 3])
  else
    redis.call('HDEL', entries, ARGV[i])
  end
end
redis.call('HSET', about, 'revision', version, 'bytes', string.format('%.0f', bytes))
return {'done', version}
