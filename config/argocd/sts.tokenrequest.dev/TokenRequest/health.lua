local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    conditions[condition.type] = condition
  end
end
local ready = conditions.Ready

if obj.metadata.deletionTimestamp ~= nil then
  return { status = "Progressing", message = "Pending deletion" }
end

-- A new object has the observedGeneration -1.
local seen = ready ~= nil and obj.status.observedGeneration == obj.metadata.generation

if obj.spec.suspend == true then
  if seen then
    return { status = "Suspended", message = ready.message }
  end
  return { status = "Suspended", message = "No token is asked for while spec.suspend is true" }
end

if not seen then
  return { status = "Progressing", message = "Waiting for the operator to look at the TokenRequest" }
end

if ready.status == "True" then
  local message = ready.message
  -- The last token is still good: what mounts it works.
  if conditions.Issued ~= nil and conditions.Issued.status == "False" then
    message = message .. " Its refresh is failing: " .. conditions.Issued.message
  end
  return { status = "Healthy", message = message }
end

-- Stalled: only a change helps. An expired token is an outage, also while the operator tries again.
if conditions.Stalled ~= nil or ready.reason == "TokenExpired" then
  return { status = "Degraded", message = ready.message }
end

return { status = "Progressing", message = ready.message }
