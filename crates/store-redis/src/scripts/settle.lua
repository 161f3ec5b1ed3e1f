-- Records how a send went, once, and gives the number's limits back if it says so.
--
-- KEYS[1]   the verification
-- ARGV[5]   the service        ARGV[6]   id of the delivery
-- ARGV[7]   its status         ARGV[8]   what else is known of it, packed by Rust
-- ARGV[9]   '1' if limits are given back
--
-- Answers {what, now, since, number, verification, its id}; what is DONE, or ABSENT for what is unknown or was settled before.

local STATUS_FAILED = 5

local function settle(v, delivery, number, now)
  delivery.flags = SETTLED + (ARGV[9] == '1' and REFUNDED or 0)
  delivery.status, delivery.details = tonumber(ARGV[7]), ARGV[8]
  -- Its request had no effect, and was told so: a repeat sends anew.
  if delivery.status == STATUS_FAILED then delivery.request = '' end
  if ARGV[9] == '1' then
    local service = service_of(number, v.service)
    number.sends, service.sends = give_back(number.sends, delivery.at), give_back(service.sends, delivery.at)
  end
  local nothing_left = true
  for _, d in ipairs(v.deliveries) do
    nothing_left = nothing_left and d.flags >= SETTLED and d.status == STATUS_FAILED
  end
  if nothing_left and v.status == PENDING then finish(v, FAILED, now) end
  write_verification(v, now)
  if ARGV[9] == '1' then write_number(number, now) end
  return { DONE, now, SINCE, pack_number(number), pack_verification(v), v.id }
end

local clock = server_clock()
local v = read_verification(string.sub(KEYS[1], #BASE + 3))
if not v or v.service ~= ARGV[5] then return { ABSENT, clock } end
local number, now = read_number(number_key(v.phone), clock)
v = settle_in_time(v, number, now)
if not v then return { ABSENT, now } end
for _, delivery in ipairs(deliveries_of(v)) do
  if delivery.id == ARGV[6] and delivery.flags < SETTLED then return settle(v, delivery, number, now) end
end
return { ABSENT, now }
