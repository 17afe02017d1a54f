// The folder of rfmalloc.h, for the compiler: cc -I"$(node -p "require('rfmalloc/include')")"
module.exports = __dirname
