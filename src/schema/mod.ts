/**
 * The checks of values from outside, in one place: Deno looks for a package once for each module that names
 * it, and a program whose modules name packages thirty times begins a tenth of a second later.
 */
export * from "valibot";
