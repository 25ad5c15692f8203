-- Refuses what the archive is not for: by modality, station, description and transfer syntax.

REFUSED = { SR = true, KO = true, PR = true }
counts = {}

function ReceivedInstanceFilter(dicom, origin, info)
  note('asked', dicom.PatientID, origin.RequestOrigin, origin.RemoteAet or '', info.TransferSyntaxUID, info.HasPixelData,
    type(dicom.ReferencedStudySequence), dicom.PixelData)
  if REFUSED[dicom.Modality] then return false end
  if dicom.StationName ~= nil and dicom.StationName:upper():find('TEST', 1, true) then return false end
  if tonumber(dicom.InstanceNumber) > 100 then return false end
  if dicom.ReferencedStudySequence then
    for position, item in ipairs(dicom.ReferencedStudySequence) do
      note('item', position, item.ReferencedSOPInstanceUID, item['ReferencedSOPClassUID'])
    end
    return #dicom.ReferencedStudySequence == 1
  end
  local size = dicom.Rows * dicom.Columns
  note('size', size, math.floor(size), dicom.PixelSpacing)
  return true
end

function ReceivedCStoreInstanceFilter(dicom, origin, info)
  note('by dicom', origin)
  if dicom.PatientID == 'BUSY' then return 0xA700 end
  return 0
end

local OFFICE = { ['127.0.0.1'] = true }

function IncomingHttpRequestFilter(method, uri, ip, username, httpHeaders)
  if not OFFICE[ip] then return false end
  if method == 'DELETE' then return false end
  if method == 'POST' and uri:match('^/tools/') then return httpHeaders['x-admin'] == 'yes' end
  if uri:match('^/webdav') then note('webdav', method, uri, username, httpHeaders['depth']) end
  return true
end

function IncomingFindRequestFilter(source, origin)
  note('find', source, origin)
  if origin.RemoteAet == 'STRANGER' then
    local target = {}
    for key, value in pairs(source) do target[key] = value end
    target['0008,0060'] = nil
    target['PatientID'] = 'P*'
    return target
  end
  source['0010,0010'] = ''
  return source
end
