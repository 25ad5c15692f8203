// What stands behind # never reaches the server: the form takes it along.
"use strict";
const next = document.getElementById("next");
if (next.value && location.hash && !next.value.includes("#")) {
  next.value += location.hash;
}
