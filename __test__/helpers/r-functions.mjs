// What becomes of R: every function of R's package Rfmalloc, 0.1.0 and later, and every function of base R that the package promises for its
// vectors. A name of ours is an export, or `Class.member`.

/** The package's own functions. The names of ours are the mechanical camelCase of R's. */
export const PACKAGE =
  `open_fmalloc init_fmalloc cleanup_fmalloc create_fmalloc_vector create_fmalloc_matrix create_fmalloc_array
  create_fmalloc_data_frame as_fmalloc_data_frame as_fmalloc_matrix as_fmalloc_array create_mmap_vector destroy_fmalloc_vector
  list_fmalloc_allocations diagnose_fmalloc_runtime fmalloc_default_runtime is_fmalloc_runtime is_fmalloc_vector fmalloc_runtime
  fmalloc_runtime_info fmalloc_vector_type fmalloc_vector_length fmalloc_vector_info fmalloc_set fmalloc_fill fmalloc_add fmalloc_sub
  fmalloc_mul fmalloc_div fmalloc_sync fmalloc_matmul_ooc fmalloc_crossprod_ooc fmalloc_tcrossprod_ooc fmalloc_storage_advise
  fmalloc_colVars fmalloc_rowVars fmalloc_matmul_backend fmalloc_matmul_backends`.split(/\s+/)

/** Functions of the package that come later, by the work they belong to. */
export const LATER = {
  tensors: `create_fmalloc_tensor as_fmalloc_tensor fmalloc_tensor_materialize fmalloc_tensor_dtype fmalloc_tensor_codecs`,
  genomics: `fmalloc_bed fmalloc_bed_standardize fmalloc_dosage fmalloc_dosage_standardize fmalloc_haplotypes create_fmalloc_haplotypes
    fmalloc_haplotypes_materialize fmalloc_ld fmalloc_ld_ncol fmalloc_ld_pair fmalloc_ld_col`,
  'principal components': 'fmalloc_pca',
}

/** Functions of the package that have no place in JavaScript, and what stands for them. */
export const DROPPED = {
  // An address is nothing in JavaScript; a view is, and info has the offset in the file.
  fmalloc_vector_payload_ptr: 'Vector.view',
}

/** Base R: generics that the package implements, and what they became. */
export const BASE = {
  // operators
  '+': 'add',
  '-': 'sub neg',
  '*': 'mul',
  '/': 'div',
  '^': 'pow',
  '%%': 'mod',
  '%/%': 'idiv',
  '==': 'eq',
  '!=': 'ne',
  '<': 'lt',
  '<=': 'le',
  '>': 'gt',
  '>=': 'ge',
  '&': 'and',
  '|': 'or',
  xor: 'xor',
  '!': 'not',
  // subscripts
  '[': 'Vector.select Vector.exclude NdArray.subset DataFrame.select DataFrame.filter',
  '[[': 'Vector.get NdArray.cell List.get DataFrame.column element',
  '[<-': 'Vector.replace Vector.set',
  '[[<-': 'Vector.set NdArray.setCell List.set',
  $: 'DataFrame.column',
  '$<-': 'DataFrame.with',
  // products
  '%*%': 'matmul Matrix.matmul',
  crossprod: 'crossprod Matrix.crossprod',
  tcrossprod: 'tcrossprod Matrix.tcrossprod',
  t: 'transpose Matrix.transpose',
  // attributes
  length: 'Vector.length List.length',
  names: 'Vector.names List.names DataFrame.columnNames',
  'names<-': 'Vector.setNames',
  dim: 'Vector.dim NdArray.dim DataFrame.nrow DataFrame.ncol',
  'dim<-': 'Vector.reshape',
  dimnames: 'NdArray.dimnames',
  'dimnames<-': 'NdArray.setDimnames',
  'row.names': 'DataFrame.rowNames',
  attr: 'Vector.getAttribute',
  'attr<-': 'Vector.setAttribute',
  // conversion
  'as.logical': 'Vector.as',
  'as.integer': 'Vector.as',
  'as.numeric': 'Vector.as',
  'as.complex': 'Vector.as',
  'as.character': 'Vector.as',
  'as.raw': 'Vector.as',
  c: 'combine',
  'is.na': 'isNa',
  'is.nan': 'isNaN',
  // references
  serialize: 'serializeFmalloc',
  unserialize: 'unserializeFmalloc',
  // the same name, as function and as method
  ...same(
    `abs sign sqrt floor ceiling trunc round signif exp log expm1 log1p log2 log10 cos sin tan cospi sinpi tanpi acos asin atan atan2 cosh sinh
    tanh acosh asinh atanh gamma lgamma digamma trigamma cumsum cumprod cummax cummin sum prod max min range all any mean sort order unique which`,
    'Vector',
  ),
  ...same('rowSums colSums rowMeans colMeans', 'NdArray'),
}

function same(names, owner) {
  return Object.fromEntries(names.split(/\s+/).map(name => [name, `${name} ${owner}.${name}`]))
}

/** Exports that R does not have, and why they are there. */
export const OURS = {
  classes: 'Store Vector NdArray Matrix List DataFrame',
  'errors and warnings': 'FmallocError isFmallocError captureWarnings',
  'scalars and subscripts': 'int rIndex',
  options: 'fmallocOptions',
  references: 'openRef',
  'other addons': 'cApi',
  'writing through': 'addInPlace subInPlace mulInPlace divInPlace',
}

/** R's name in camelCase, without exception. */
export function camelCase(name) {
  return name.replace(/_(.)/g, (_, letter) => letter.toUpperCase())
}

export const words = text => text.split(/\s+/).filter(Boolean)
