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
if ready == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "Waiting for the operator to look at the ClusterTokenIssuer" }
end

if ready.status == "True" then
  return { status = "Healthy", message = ready.message }
end

-- Only a change helps.
if conditions.Stalled ~= nil then
  return { status = "Degraded", message = ready.message }
end

return { status = "Progressing", message = ready.message }
