-- Sends what arrives by a table of rules, changes names on the way, and keeps no copy of what it
-- has changed.

local RULES = {
  { modality = { 'CT', 'PT' }, target = 'store', replace = { PatientName = 'ROUTED', AccessionNumber = '' } },
  { modality = { 'MR' }, description = '^Thor', target = 'store' },
  { modality = { 'US' }, target = 'store', remove = { 'StudyDescription' }, keep = true },
}

local function contains(list, value)
  for _, each in ipairs(list) do
    if each == value then return true end
  end
  return false
end

local function matches(rule, tags)
  if not contains(rule.modality, tags.Modality or '') then return false end
  return rule.description == nil or string.match(tags.StudyDescription or '', rule.description) ~= nil
end

function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin['RequestOrigin'] == 'Lua' then
    note('made here', tags['PatientName'], tags['StudyDescription'] or 'none', metadata['ModifiedFrom'] ~= nil)
    return
  end
  for number, rule in pairs(RULES) do
    if matches(rule, tags) then
      note('rule', number, tags['PatientID'], metadata['RemoteIP'] or metadata['RemoteIp'], origin['RemoteIp'])
      if rule.replace == nil and rule.remove == nil then
        note('sent', SendToModality(instanceId, rule.target) == instanceId)
      elseif rule.keep then
        SendToModality(ModifyInstance(instanceId, rule.replace, rule.remove, false), rule.target, 'ROUTER')
      else
        Delete(SendToModality(ModifyInstance(instanceId, rule.replace, rule.remove or {}, true), rule.target))
      end
      return
    end
  end
  note('no rule', tags['PatientID'], tags['Modality'], tags.NoSuchTag)
end
