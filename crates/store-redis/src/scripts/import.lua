-- Takes over records of another store: those of one number, or one quota, or one reply. All of them, or none.
--
-- KEYS      the records, in one slot
-- ARGV[4]   'write', or 'compare' to write nothing
-- Then for each record: its value, until when it counts, and where in it the era of its code stands (0: nowhere), from the first byte.
--
-- The era becomes the present one: nothing was lost on the way here, because the other store stood still.
--
-- Answers {how many were written, were there already, are over, are there and other than they should be, are missing}.
-- If any is other, nothing was written. Whether two are the same is asked without the era: that may have changed since.

local now = server_clock()
local ERA_BYTES = 8

local function without_era(value, at)
  if at == 0 then return value end
  return string.sub(value, 1, at) .. string.sub(value, at + ERA_BYTES + 1)
end

local absent, same, over, other = {}, 0, 0, 0
for index, key in ipairs(KEYS) do
  local argument = 5 + (index - 1) * 3
  local value, ends, era_at = ARGV[argument], tonumber(ARGV[argument + 1]), tonumber(ARGV[argument + 2])
  local there = redis.call('GET', key)
  if there then
    if without_era(there, era_at) == without_era(value, era_at) then same = same + 1 else other = other + 1 end
  elseif ends <= now then
    over = over + 1
  else
    absent[#absent + 1] = { key, value, ends, era_at }
  end
end

if other > 0 or ARGV[4] ~= 'write' then return { 0, same, over, other, #absent } end
for _, record in ipairs(absent) do
  local value, era_at = record[2], record[4]
  if era_at > 0 then
    value = string.sub(value, 1, era_at) .. string.sub(ARGV[1], 1, ERA_BYTES) .. string.sub(value, era_at + ERA_BYTES + 1)
  end
  keep(record[1], value, record[3], now)
end
return { #absent, same, over, 0, 0 }
