# What runs first in the packed executable, on AArch64 Linux; does what `entry_x86_64.s` does.
#
# In:  sp  argc, argv, 0, environment, 0, auxiliary vector; x0: to be called at exit
# Out: the same, with other arguments and one more variable, at the runtime's entry
#
# `entry_aarch64.ts` holds the bytes that `as` makes of this; a test compares them.

        .text
start:
        mov     x20, sp                 // the stack as it was
        mov     x21, x0
        ldr     x0, [x20]
        cbz     x0, fail                // no name of the program: nothing to go by

        adr     x0, file_name
        mov     x1, #11                 // MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL
        mov     x8, #279                // memfd_create
        svc     #0
        tbz     w0, #31, made
        adr     x0, file_name
        mov     x1, #3
        mov     x8, #279
        svc     #0
        tbnz    w0, #31, fail
made:
        mov     w22, w0

        adr     x23, start
        ldr     x9, program_offset
        add     x23, x23, x9
        ldr     x24, program_bytes
write_more:
        cbz     x24, written
        mov     w0, w22
        mov     x1, x23
        mov     x2, x24
        mov     x8, #64                 // write
        svc     #0
        cmn     x0, #4                  // EINTR
        b.eq    write_more
        cmp     x0, #0
        b.le    fail
        add     x23, x23, x0
        sub     x24, x24, x0
        b       write_more
written:
        mov     w0, w22
        mov     x1, #1033               // F_ADD_SEALS
        mov     x2, #15                 // SEAL | SHRINK | GROW | WRITE
        mov     x8, #25                 // fcntl
        svc     #0

        mov     w0, w22
        mov     x1, #1030               // F_DUPFD_CLOEXEC
        mov     x2, #100
        mov     x8, #25
        svc     #0
        tbnz    w0, #31, placed         // a low limit of descriptors: it stays where it is
        mov     w23, w0
        mov     w0, w22
        mov     x8, #57                 // close
        svc     #0
        mov     w22, w23
placed:

        // Its path, backwards, into 48 bytes of the stack; x23 is its beginning.
        sub     sp, sp, #48
        add     x23, sp, #47
        strb    wzr, [x23]
        mov     w0, w22
        mov     w1, #10
digit:
        udiv    w2, w0, w1
        msub    w3, w2, w1, w0
        add     w3, w3, #'0'
        strb    w3, [x23, #-1]!
        mov     w0, w2
        cbnz    w0, digit
        adr     x1, path_end
        mov     w2, #(path_end - path)
prefix:
        ldrb    w3, [x1, #-1]!
        strb    w3, [x23, #-1]!
        subs    w2, w2, #1
        b.ne    prefix

        // x11..x12: environment and auxiliary vector; x13 their words.
        ldr     x10, [x20]
        add     x11, x20, x10, lsl #3
        add     x11, x11, #16
        mov     x12, x11
skip_variable:
        ldr     x9, [x12], #8
        cbnz    x9, skip_variable
skip_auxiliary:
        ldr     x9, [x12], #16
        cbnz    x9, skip_auxiliary
        sub     x13, x12, x11
        lsr     x13, x13, #3

        // argc, argv with our arguments and the path, 0, our variable, then both.
        ldr     x14, argument_count
        add     x9, x10, x14
        add     x9, x9, #4
        add     x9, x9, x13
        mov     x15, sp
        sub     x15, x15, x9, lsl #3
        and     x15, x15, #-16
        mov     sp, x15
        add     x9, x10, x14
        add     x9, x9, #1
        str     x9, [x15], #8           // argc
        add     x17, x20, #8
        ldr     x9, [x17], #8
        str     x9, [x15], #8           // name of the program, as it was called
        adr     x1, arguments
next_argument:
        cbz     x14, arguments_done
        str     x1, [x15], #8
        sub     x14, x14, #1
next_byte:
        ldrb    w9, [x1], #1
        cbnz    w9, next_byte
        b       next_argument
arguments_done:
        str     x23, [x15], #8          // path of the program
        sub     x10, x10, #1
next_own:
        cbz     x10, own_done
        ldr     x9, [x17], #8
        str     x9, [x15], #8
        sub     x10, x10, #1
        b       next_own
own_done:
        str     xzr, [x15], #8
        str     x1, [x15], #8           // the variable, behind the last argument
copy:
        cbz     x13, copied
        ldr     x9, [x11], #8
        str     x9, [x15], #8
        sub     x13, x13, #1
        b       copy
copied:
        adr     x16, start
        ldr     x9, entry_offset
        add     x16, x16, x9
        mov     x0, x21
        mov     x29, xzr
        mov     x30, xzr
        br      x16

fail:
        mov     x0, #2
        adr     x1, complaint
        mov     x2, #(complaint_end - complaint)
        mov     x8, #64                 // write
        svc     #0
        mov     x0, #126
        mov     x8, #94                 // exit_group
        svc     #0
        brk     #0

file_name:
        .asciz  "net.js"
path:
        .ascii  "/proc/self/fd/"
path_end:
complaint:
        .ascii  "net: Cannot start: no file in memory could be made\n"
complaint_end:

        // Filled in by pack.ts: relative to the beginning of this segment.
        .balign 8
entry_offset:
        .quad   0                       // the runtime's own entry
program_offset:
        .quad   0
program_bytes:
        .quad   0
argument_count:
        .quad   0
arguments:                              // each with a zero behind it; then the variable
