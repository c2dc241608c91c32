/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_context_swap.c: the bare switch, for x86-64.
 *
 * A context that does not run is one pointer: its stack, on which everything
 * lies that the calling convention wants kept across a call. The rest is lost
 * across any call, so the compiler has already saved what it needs. This is
 * the idea of boost.context's fcontext.
 *
 *   registers  Microsoft's x64 calling convention: rbx, rbp, rdi, rsi, r12-r15,
 *              xmm6-xmm15, the control bits of mxcsr, the x87 control word
 *   stack      of the thread's block: StackBase 0x08, StackLimit 0x10,
 *              DeallocationStack 0x1478, GuaranteedStackBytes 0x1748. The
 *              system reads them to let a stack grow, to tell its overflow, and
 *              to walk through frames; it moves StackLimit as the stack grows.
 *
 * SwitchToFiber() exchanges the same, and besides the fibre-local storage and
 * who the current fibre is; here these stay the thread's, on purpose.
 *
 * A prepared stack looks as if it had called the switch from `begin`, which
 * calls brood__context_run(self). There unwinders and debuggers stop: it was
 * called from nowhere.
 */

#include "os/win32/os_internal.h"

#ifndef BROOD_CONTEXT_SYSTEM

#include <string.h>

/* Store the present stack in *from, and go on where `to` stopped. */
void brood__context_jump(void **from, void *to);

/* Where a prepared stack starts. Not to be called from C. */
void brood__context_begin(void);

#define FUNCTION(name)                                                         \
    ".text\n"                                                                  \
    ".p2align 4\n"                                                             \
    ".globl " name "\n"                                                        \
    ".def " name "; .scl 2; .type 32; .endef\n"                                \
    ".seh_proc " name "\n" name ":\n"
#define END ".seh_endproc\n"

#define KEPT(reg)                                                              \
    "pushq %" reg "\n"                                                         \
    ".seh_pushreg %" reg "\n"
#define VECTOR(reg, at)                                                        \
    "movaps %" reg ", " #at "(%rsp)\n"                                         \
    ".seh_savexmm %" reg ", " #at "\n"

/* clang-format off */
__asm__(FUNCTION("brood__context_jump")
    KEPT("rbp") KEPT("rbx") KEPT("rdi") KEPT("rsi")
    KEPT("r12") KEPT("r13") KEPT("r14") KEPT("r15")
    "subq $216, %rsp\n"
    ".seh_stackalloc 216\n"
    VECTOR("xmm6", 48) VECTOR("xmm7", 64) VECTOR("xmm8", 80)
    VECTOR("xmm9", 96) VECTOR("xmm10", 112) VECTOR("xmm11", 128)
    VECTOR("xmm12", 144) VECTOR("xmm13", 160) VECTOR("xmm14", 176)
    VECTOR("xmm15", 192)
    ".seh_endprologue\n"
    "stmxcsr (%rsp)\n"
    "fnstcw 4(%rsp)\n"
    "movq %gs:0x30, %r10\n" /* the thread's block */
    "movq 0x08(%r10), %rax\n"
    "movq %rax, 8(%rsp)\n"
    "movq 0x10(%r10), %rax\n"
    "movq %rax, 16(%rsp)\n"
    "movq 0x1478(%r10), %rax\n"
    "movq %rax, 24(%rsp)\n"
    "movl 0x1748(%r10), %eax\n"
    "movl %eax, 32(%rsp)\n"

    "movl (%rsp), %eax\n"
    "movl 4(%rsp), %r11d\n"
    "movq %rsp, (%rcx)\n"
    "movq %rdx, %rsp\n" /* from here on: the other stack, of the same shape */

    "movq 8(%rsp), %r8\n"
    "movq %r8, 0x08(%r10)\n"
    "movq 16(%rsp), %r8\n"
    "movq %r8, 0x10(%r10)\n"
    "movq 24(%rsp), %r8\n"
    "movq %r8, 0x1478(%r10)\n"
    "movl 32(%rsp), %r8d\n"
    "movl %r8d, 0x1748(%r10)\n"

    /* Loading them takes long, so only if they differ, the sticky flags of
     * mxcsr apart, which are not kept across calls. */
    "xorl (%rsp), %eax\n"
    "xorl 4(%rsp), %r11d\n"
    "andl $0xffc0, %eax\n"
    "movzwl %r11w, %r11d\n"
    "orl %r11d, %eax\n"
    "jz 1f\n"
    "ldmxcsr (%rsp)\n"
    "fldcw 4(%rsp)\n"
    "1:\n"
    "movaps 48(%rsp), %xmm6\n"
    "movaps 64(%rsp), %xmm7\n"
    "movaps 80(%rsp), %xmm8\n"
    "movaps 96(%rsp), %xmm9\n"
    "movaps 112(%rsp), %xmm10\n"
    "movaps 128(%rsp), %xmm11\n"
    "movaps 144(%rsp), %xmm12\n"
    "movaps 160(%rsp), %xmm13\n"
    "movaps 176(%rsp), %xmm14\n"
    "movaps 192(%rsp), %xmm15\n"
    "addq $216, %rsp\n"
    "popq %r15\n"
    "popq %r14\n"
    "popq %r13\n"
    "popq %r12\n"
    "popq %rsi\n"
    "popq %rdi\n"
    "popq %rbx\n"
    "popq %rbp\n"
    "ret\n"
    END);

__asm__(FUNCTION("brood__context_begin")
    "subq $40, %rsp\n" /* never run: a prepared stack is below it already */
    ".seh_stackalloc 40\n"
    ".seh_endprologue\n"
    "brood__context_enter:\n"
    "movq %r12, %rcx\n"
    "call *%r13\n"
    "ud2\n"
    END);
/* clang-format on */

void brood__context_enter(void); /* within brood__context_begin() */

/* The layout that brood__context_jump() leaves, lowest address first. */
typedef struct frame_t {
    uint32_t mxcsr;
    uint32_t x87;
    void *base;
    void *limit;
    void *whole;
    uint64_t guaranteed;
    uint64_t none;
    uint64_t xmm6_to_xmm15[20];
    uint64_t gap;
    void *r15, *r14;
    void (*run)(brood__os_context_t *); /* r13 */
    void *self;                         /* r12 */
    void *rsi, *rdi, *rbx, *rbp;
    void (*enter)(void); /* the return address */
    void *room[5];       /* of brood__context_begin(): 40 bytes */
    void *nowhere;       /* its return address: NULL */
} frame_t;

_Static_assert(offsetof(frame_t, xmm6_to_xmm15) == 48, "see the assembler");
_Static_assert(offsetof(frame_t, r15) == 216, "see the assembler");
_Static_assert(sizeof(frame_t) % 16 == 0, "the top is a multiple of 16");

/* A return at the end of the switch goes where no call came from: with shadow
 * stacks the processor would refuse. rdsspq is no operation, and leaves the 0,
 * unless they are on. */
apr_status_t brood__context_home(brood__os_context_t *home)
{
    uint64_t shadow = 0;

    (void)home;
    __asm__ __volatile__(".byte 0xf3, 0x48, 0x0f, 0x1e, 0xc8" : "+a"(shadow));
    return shadow == 0 ? APR_SUCCESS : APR_ENOTIMPL;
}

void brood__context_home_fini(brood__os_context_t *home)
{
    (void)home;
}

/* The floating point environment is the one of whoever makes the context. What
 * is there of the stack ends at its tripwire. */
apr_status_t brood__context_prepare(brood__os_context_t *self)
{
    const size_t page = brood__page_size();
    const uintptr_t top = ((uintptr_t)self->bottom + self->size)
                          & ~(uintptr_t)15;
    frame_t *frame = (frame_t *)top - 1;
    char *there = self->bottom;
    MEMORY_BASIC_INFORMATION part;
    uint16_t x87;

    for (;;) {
        if (!VirtualQuery(there, &part, sizeof(part)))
            return brood__last_error();
        if (part.State == MEM_COMMIT && part.Protect == PAGE_READWRITE)
            break;
        there += part.RegionSize;
    }
    memset(frame, 0, sizeof(*frame));
    __asm__ __volatile__("stmxcsr %0" : "=m"(frame->mxcsr));
    __asm__ __volatile__("fnstcw %0" : "=m"(x87));
    frame->x87 = x87;
    frame->base = (void *)(((uintptr_t)top + page - 1) & ~(page - 1));
    frame->limit = there;
    frame->whole = part.AllocationBase;
    frame->self = self;
    frame->run = brood__context_run;
    frame->enter = brood__context_enter;
    self->sp = frame;
    return APR_SUCCESS;
}

void brood__context_swap(brood__os_context_t *from, brood__os_context_t *to)
{
    brood__context_jump(&from->sp, to->sp);
}

void brood__context_fini(brood__os_context_t *self)
{
    (void)self;
}

#else

/* ISO C wants something in every file. */
typedef int brood__swap_is_elsewhere_t;

#endif
