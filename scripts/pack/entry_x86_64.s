# What runs first in the packed executable, on x86-64 Linux.
#
# The dynamic linker jumps here instead of to the runtime's own entry. The program (one JavaScript file,
# at the end of this segment) goes into a sealed file in memory; then the runtime starts with the
# arguments that run that file, before those of the user. Nothing is unpacked to a disk.
#
# In:  rsp  argc, argv, 0, environment, 0, auxiliary vector (System V ABI); rdx: to be called at exit
# Out: the same, with other arguments and one more variable, at the runtime's entry
#
# `entry_x86_64.ts` holds the bytes that `as` makes of this; a test compares them.

        .intel_syntax noprefix
        .text
start:
        endbr64
        mov     rbp, rsp                # the stack as it was
        mov     r15, rdx
        cmp     qword ptr [rbp], 0      # no name of the program: nothing to go by
        je      fail

        # A file in memory: closed by exec, to be sealed, never executed itself. Kernels before 6.3 do not
        # know the last flag, later ones may insist on it.
        lea     rdi, [rip + file_name]
        mov     esi, 11                 # MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL
        mov     eax, 319                # memfd_create
        syscall
        test    eax, eax
        jns     made
        mov     esi, 3
        mov     eax, 319
        syscall
        test    eax, eax
        js      fail
made:
        mov     r12d, eax

        lea     r13, [rip + start]
        add     r13, [rip + program_offset]
        mov     r14, [rip + program_bytes]
write_more:
        test    r14, r14
        jz      written
        mov     edi, r12d
        mov     rsi, r13
        mov     rdx, r14
        mov     eax, 1                  # write
        syscall
        cmp     rax, -4                 # EINTR
        je      write_more
        test    rax, rax
        jle     fail
        add     r13, rax
        sub     r14, rax
        jmp     write_more
written:
        mov     edi, r12d
        mov     esi, 1033               # F_ADD_SEALS
        mov     edx, 15                 # SEAL | SHRINK | GROW | WRITE
        mov     eax, 72                 # fcntl
        syscall

        # Out of the way of descriptors that a service manager passes from 3 on.
        mov     edi, r12d
        mov     esi, 1030               # F_DUPFD_CLOEXEC
        mov     edx, 100
        mov     eax, 72                 # fcntl
        syscall
        test    eax, eax
        js      placed                  # a low limit of descriptors: it stays where it is
        mov     r13d, eax
        mov     edi, r12d
        mov     eax, 3                  # close
        syscall
        mov     r12d, r13d
placed:

        # Its path, backwards, into 48 bytes of the stack; r13 is its beginning.
        sub     rsp, 48
        lea     r13, [rsp + 47]
        mov     byte ptr [r13], 0
        mov     eax, r12d
        mov     ecx, 10
digit:
        xor     edx, edx
        div     ecx
        add     dl, '0'
        dec     r13
        mov     [r13], dl
        test    eax, eax
        jnz     digit
        lea     rsi, [rip + path_end]
        mov     ecx, path_end - path
prefix:
        dec     rsi
        dec     r13
        mov     al, [rsi]
        mov     [r13], al
        dec     ecx
        jnz     prefix

        # rsi..rdi: environment and auxiliary vector.
        mov     rcx, [rbp]
        lea     rsi, [rbp + 8 * rcx + 16]
        mov     rdi, rsi
skip_variable:
        mov     rax, [rdi]
        add     rdi, 8
        test    rax, rax
        jnz     skip_variable
skip_auxiliary:
        mov     rax, [rdi]
        add     rdi, 16
        test    rax, rax
        jnz     skip_auxiliary
        mov     r14, rdi
        sub     r14, rsi                # bytes of both
        shr     r14, 3                  # words

        # argc, argv with our arguments and the path, 0, our variable, then both.
        mov     rbx, [rip + argument_count]
        lea     rdx, [rcx + rbx + 4]
        add     rdx, r14
        shl     rdx, 3
        sub     rsp, rdx
        and     rsp, -16
        mov     rdi, rsp
        lea     rax, [rcx + rbx + 1]
        stosq                           # argc
        lea     rdx, [rbp + 8]
        mov     rax, [rdx]
        stosq                           # name of the program, as it was called
        lea     rax, [rip + arguments]
next_argument:
        test    rbx, rbx
        jz      arguments_done
        stosq
        dec     rbx
next_byte:
        inc     rax
        cmp     byte ptr [rax - 1], 0
        jne     next_byte
        jmp     next_argument
arguments_done:
        xchg    rax, r13                # r13: the variable, behind the last argument
        stosq                           # path of the program
        dec     rcx
next_own:
        jrcxz   own_done
        add     rdx, 8
        mov     rax, [rdx]
        stosq
        dec     rcx
        jmp     next_own
own_done:
        xor     eax, eax
        stosq
        mov     rax, r13
        stosq
        mov     rcx, r14
        rep movsq

        lea     rax, [rip + start]
        add     rax, [rip + entry_offset]
        mov     rdx, r15
        xor     ebp, ebp
        jmp     rax

fail:
        mov     edi, 2
        lea     rsi, [rip + complaint]
        mov     edx, complaint_end - complaint
        mov     eax, 1                  # write
        syscall
        mov     edi, 126
        mov     eax, 231                # exit_group
        syscall
        hlt

file_name:
        .asciz  "net.js"
path:
        .ascii  "/proc/self/fd/"
path_end:
complaint:
        .ascii  "net: Cannot start: no file in memory could be made\n"
complaint_end:

        # Filled in by pack.ts: relative to the beginning of this segment.
        .balign 8
entry_offset:
        .quad   0                       # the runtime's own entry
program_offset:
        .quad   0
program_bytes:
        .quad   0
argument_count:
        .quad   0
arguments:                              # each with a zero behind it; then the variable
