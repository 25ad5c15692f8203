-- Follows jobs, counts what happens, and tries again what has failed.

jobs = {}
tries = 0

local function job(id)
  return ParseJson(RestApiGet('/jobs/' .. id))
end

function OnJobSubmitted(id)
  jobs[id] = 'submitted'
  note('submitted', job(id).Type, job(id).Content.Description)
end

function OnJobSuccess(id)
  local found = job(id)
  note('success', jobs[id], found.State, found.Type, found.Progress, found.ErrorCode, found.ErrorDescription)
  jobs[id] = nil
end

function OnJobFailure(id)
  local found = job(id)
  note('failure', jobs[id], found.State, found.Type, found.ErrorCode, found.ErrorDescription)
  jobs[id] = nil
  if tries < 2 then
    tries = tries + 1
    note('again', RestApiPost('/jobs/' .. id .. '/resubmit', ''))
  end
end

function OnDeletedInstance(id)
  note('deleted', id, tries)
end

function OnUpdatedInstance(id)
  note('updated', RestApiGet('/instances/' .. id .. '/metadata/1030'))
end

function Finalize()
  note('end', tries)
end
