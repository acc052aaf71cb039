// Prints what Khronos' glTF validator says of a file, as JSON. Usage: node validate_gltf.js FILE
const fs = require("fs");
const validator = require("gltf-validator");

validator
  .validateBytes(new Uint8Array(fs.readFileSync(process.argv[2])))
  .then((report) => console.log(JSON.stringify(report)));
