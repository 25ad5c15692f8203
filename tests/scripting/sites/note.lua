-- Loaded before a script of a site: notes what it tells as lines of JSON.

function note(name, ...)
  local arguments = table.pack(...)
  local texts = {}
  for i = 1, arguments.n do texts[i] = DumpJson(arguments[i], true) end
  local file = io.open('FOLDER/notes', 'a')
  file:write('["', name, '",[', table.concat(texts, ','), ']]\n')
  file:close()
end
