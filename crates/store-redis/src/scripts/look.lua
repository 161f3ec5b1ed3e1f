-- Reads a verification with its number, or a number with the newest verification of a service; changes nothing.
--
-- KEYS[1]   by id: the verification    by number: the number
-- ARGV[5]   'id' or 'number'           ARGV[6]   the service
--
-- Answers {what, now, since, number, verification or '', its id or ''}; what is DONE or ABSENT.

local clock = server_clock()
local v, number, now
if ARGV[5] == 'id' then
  v = read_verification(string.sub(KEYS[1], #BASE + 3))
  if not v or v.service ~= ARGV[6] then return { ABSENT, clock } end
  number, now = read_number(number_key(v.phone), clock)
  v = settle_in_time(v, number, now)
  if not v then return { ABSENT, now } end
else
  number, now = read_number(KEYS[1], clock)
  local newest = found_by(service_of(number, ARGV[6]))[1]
  v = newest and settle_in_time(read_verification(newest), number, now)
end
return { DONE, now, SINCE, pack_number(number), v and pack_verification(v) or '', v and v.id or '' }
