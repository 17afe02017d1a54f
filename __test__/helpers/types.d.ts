// For the type tests: exact equality of types.
export type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false
/** Compiles only if the value has exactly type T. */
export declare function is<T>(): <V>(value: V & (Same<V, T> extends true ? unknown : never)) => void
