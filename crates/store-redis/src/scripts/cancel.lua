-- Ends a pending verification of a service.
--
-- KEYS[1]   the verification
-- ARGV[5]   the service
--
-- Answers {what, now, since, number, verification, its id}; what is DONE, REFUSED or ABSENT.

local clock = server_clock()
local v = read_verification(string.sub(KEYS[1], #BASE + 3))
if not v or v.service ~= ARGV[5] then return { ABSENT, clock } end
local number, now = read_number(number_key(v.phone), clock)
v = settle_in_time(v, number, now)
if not v then return { ABSENT, now } end
if not is_pending(v, now) then
  local refused = { REFUSED, now, SINCE, pack_number(number), pack_verification(v), v.id }
  let_expire(v, number, now)
  return refused
end
finish(v, CANCELED, now)
write_verification(v, now)
write_number(number, now)
return { DONE, now, SINCE, pack_number(number), pack_verification(v), v.id }
