/** The absolute path of the folder of rfmalloc.h, for a compiler's -I. */
declare const include: string
export = include
