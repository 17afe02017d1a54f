/**
 * The C interface for other native addons: its table of functions, by which they work on the stores that this package has open. The contract
 * is include/rfmalloc.h; its folder is what `rfmalloc/include` exports.
 */
import { native } from './native.js'

declare const table: unique symbol

/** An external of Node-API around the table; opaque to JavaScript. */
export interface CApi {
  /** Nothing that JavaScript can use. */
  readonly [table]: never
}

/**
 * The table of include/rfmalloc.h for an addon of your own, to be handed to it as it is. The addon checks the external's type tag
 * (`RFM_NAPI_TAG_LOWER`, `RFM_NAPI_TAG_UPPER`), then the table's version. It is the same table in every thread and valid to the end of the
 * process; a vector crosses as its `ref`. Throws UNSUPPORTED where the runtime tags no externals (Node before 20.12).
 *
 * @example
 * addon.start(cApi())
 * addon.scale(store.getVector('weight').ref, 2)
 */
export function cApi(): CApi {
  return native.cApi() as CApi
}
