// The `require` door. It hands out the very module the `import` door has (Node's require(esm)), so that there is one Vector
// class however a program is loaded. No module behind it may use top-level await.
export * from './index.js'
