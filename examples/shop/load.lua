-- SPDX-License-Identifier: Apache-2.0
--
-- load.lua: what wrk asks the shop for.
-- usage: wrk ... -s load.lua URL -- items|item|orders|thumb PICTURE

local threads = 0

function setup(thread)
   threads = threads + 1
   thread:set("seed", os.time() + threads)
end

function init(args)
   what = args[1]
   math.randomseed(seed)
   headers = { ["Content-Type"] = "application/json" }
   if what == "thumb" then
      picture = assert(io.open(args[2], "rb")):read("*a")
      headers["Content-Type"] = "image/jpeg"
   end
end

-- Most orders are good. Some payments are declined, some items run out, and
-- some customers want what there is not.
local function order()
   local item = math.random(100)
   local fail = math.random(20) == 1 and ',"fail":true' or ""
   return string.format('{"item":%d,"quantity":%d%s}', item, math.random(3),
                        fail)
end

function request()
   if what == "items" then
      return wrk.format("GET", "/items")
   elseif what == "item" then
      return wrk.format("GET", "/items/" .. math.random(100))
   elseif what == "thumb" then
      return wrk.format("POST", "/thumb", headers, picture)
   end
   return wrk.format("POST", "/orders", headers, order())
end

-- One line for the script: seconds, requests, p50 and p99 in ms, failures of
-- the connection, answers of 400 and above.
function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format("result %.2f %d %.2f %.2f %d %d\n",
                          summary.duration / 1e6, summary.requests,
                          latency:percentile(50) / 1e3,
                          latency:percentile(99) / 1e3,
                          errors.connect + errors.read + errors.write
                             + errors.timeout, errors.status))
end
