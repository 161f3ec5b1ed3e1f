-- Counts a guess and compares it; approves at most once.
--
-- KEYS[1]   by id: the verification    by number: the number
-- ARGV[5]   'id' or 'number'           ARGV[6]   the service
-- ARGV[7]   the rules                  ARGV[8]   waiting times between checks
-- ARGV[9]   digits of the guess        ARGV[10]  the guess under every live key: four bytes of key and eight of digest each
-- ARGV[11]  the request, or ''         ARGV[12]  by number: digest of the exact number
--
-- The guess is counted in the step that compares it, and a script is one step: no reply, no crash and no other client falls between.
-- Time tells nothing of a digest: Lua compares strings by one pointer, because equal ones are one object; and what is compared are
-- keyed digests, whose bytes nobody without the key can choose or read a code from.
--
-- Answers {what, now, since, number, verification, its id}; what is REFUSED, ABSENT, or 4 (approved) or 5 (wrong).

local RIGHT, WRONG = 4, 5
local service_id, request = ARGV[6], ARGV[11]
local rules

local function answer(what, number, v, now)
  return { what, now, SINCE, pack_number(number), pack_verification(v), v.id }
end

-- Whether this very request made the last guess, and lately.
local function was_asked(v, now)
  return request ~= '' and v.service == service_id and v.checked_by == request and now < v.checked_at + REPLY_KEPT_MS
end

-- Nothing is compared after an approval, so the last guess of an approved verification is the right one.
local function repeated(v, number, now)
  return answer(v.status == APPROVED and RIGHT or WRONG, number, v, now)
end

local function is_refused(v, service, guess, now)
  return not is_pending(v, now) or v.digits ~= tonumber(ARGV[9]) or not guess or v.checks >= rules.own_checks
    or has_no_guess(service, rules, now) or next_at(ARGV[8], v.checks, v.checked_at) > now
end

local function compare(v, number, now)
  rules = read_rules(ARGV[7], now)
  local service = service_of(number, service_id)
  local guess = guess_under(v.key, ARGV[10])
  if is_refused(v, service, guess, now) then
    local refused = answer(REFUSED, number, v, now)
    if now >= v.expires_at then let_expire(v, number, now) end
    return refused
  end
  v.checks, v.checked_at, v.checked_by = v.checks + 1, now, request
  local first = ARGV[5] == 'id' and 1 or 9
  local right = v.secret ~= '' and guess == string.sub(v.secret, first, first + 7)
  if right then
    service.row = 0
    finish(v, APPROVED, now)
  else
    service.failures = take(service.failures, rules.failures_window, now)
    service.row = math.min(service.row + 1, 4294967295)
    service.failed_at = now
    number.needed_until = math.max(number.needed_until, now + rules.failures_window)
    if v.checks >= rules.own_checks then finish(v, EXHAUSTED, now) end
  end
  write_verification(v, now)
  write_number(number, now)
  return answer(right and RIGHT or WRONG, number, v, now)
end

local function by_id()
  local clock = server_clock()
  local v = read_verification(string.sub(KEYS[1], #BASE + 3))
  if not v or v.service ~= service_id then return { ABSENT, clock } end
  local number, now = read_number(number_key(v.phone), clock)
  v = settle_in_time(v, number, now)
  if not v then return { ABSENT, now } end
  if was_asked(v, now) then return repeated(v, number, now) end
  return compare(v, number, now)
end

local function by_number()
  local number, now = read_number(KEYS[1], server_clock())
  local ids = found_by(service_of(number, service_id))
  local newest = ids[1] and settle_in_time(read_verification(ids[1]), number, now)
  if request ~= '' then
    for index, id in ipairs(ids) do
      local v = newest
      if index > 1 then v = settle_in_time(read_verification(id), number, now) end
      if v and was_asked(v, now) then return repeated(v, number, now) end
    end
  end
  -- A number that shares its limits with the asked one has another digest, and its code proves nothing of the asked one.
  if not newest or newest.number ~= ARGV[12] then return { ABSENT, now } end
  return compare(newest, number, now)
end

if ARGV[5] == 'id' then return by_id() end
return by_number()
