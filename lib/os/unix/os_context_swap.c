/* SPDX-License-Identifier: Apache-2.0 */

/*
 * os_context_swap.c: the bare switch, for x86-64 and AArch64.
 *
 * A context that does not run is one pointer: its stack, on which everything
 * lies that the calling convention wants kept across a call. The rest is lost
 * across any call, so the compiler has already saved what it needs. This is
 * the idea of boost.context's fcontext.
 *
 *   x86-64   System V ABI, AMD64 supplement, section 3.2.1: rbx, rbp, r12-r15,
 *            the control bits of mxcsr, the x87 control word
 *   AArch64  AAPCS64, sections 6.1.1 and 6.1.2: x19-x29, the low halves of
 *            v8-v15; FPCR
 *
 * A prepared stack looks as if it had called the switch from `begin`, which
 * calls brood__context_run(self). There unwinders and debuggers stop: its
 * description says that there is no caller.
 *
 * On x86-64 the way to the other side is an indirect jump, not a return: the
 * processor would predict the return to lead back where the call came from,
 * wrongly each time. With branch tracking (CET-IBT) "notrack" says that it is
 * on purpose. On AArch64 BTI allows only the return. The functions begin with
 * the landing pads that both want. The return address on an AArch64 stack is
 * not signed; nothing there demands it.
 */

#include "os/unix/os_internal.h"

#ifndef BROOD_CONTEXT_SYSTEM

#include <string.h>

#ifdef __ELF__
#define FUNCTION(name)                                                         \
    ".text\n"                                                                  \
    ".p2align 4\n"                                                             \
    ".globl " name "\n"                                                        \
    ".hidden " name "\n"                                                       \
    ".type " name ", %function\n" name ":\n"                                   \
    ".cfi_startproc\n"
#define END(name)                                                              \
    ".cfi_endproc\n"                                                           \
    ".size " name ", . - " name "\n"
#else
#define FUNCTION(name)                                                         \
    ".text\n"                                                                  \
    ".p2align 4\n"                                                             \
    ".globl _" name "\n"                                                       \
    ".private_extern _" name "\n"                                              \
    "_" name ":\n"                                                             \
    ".cfi_startproc\n"
#define END(name) ".cfi_endproc\n"
#endif

/* Store the present stack in *from, and go on where `to` stopped. */
void brood__context_jump(void **from, void *to);

/* Where a prepared stack starts. Not to be called from C. */
void brood__context_begin(void);

#if defined(__x86_64__)

#define KEPT(reg)                                                              \
    "pushq %" reg "\n"                                                         \
    ".cfi_adjust_cfa_offset 8\n"                                               \
    ".cfi_rel_offset %" reg ", 0\n"
#define BACK(reg)                                                              \
    "popq %" reg "\n"                                                          \
    ".cfi_adjust_cfa_offset -8\n"                                              \
    ".cfi_restore %" reg "\n"

/* clang-format off */
__asm__(FUNCTION("brood__context_jump")
    "endbr64\n"
    KEPT("rbp") KEPT("rbx") KEPT("r15") KEPT("r14") KEPT("r13") KEPT("r12")
    "subq $8, %rsp\n"
    ".cfi_adjust_cfa_offset 8\n"
    "stmxcsr (%rsp)\n"
    "fnstcw 4(%rsp)\n"

    /* Read as they were written: what is wider than a store that has not
     * reached the cache yet has to wait until it has. */
    "movl (%rsp), %eax\n"
    "movzwl 4(%rsp), %ecx\n"
    "movq %rsp, (%rdi)\n"
    "movq %rsi, %rsp\n" /* from here on: the other stack, of the same shape */

    /* Loading them takes 40 ns once the x87 was used, so only if they differ,
     * the sticky flags of mxcsr apart, which are not kept across calls. */
    "xorl (%rsp), %eax\n"
    "xorw 4(%rsp), %cx\n"
    "andl $0xffc0, %eax\n"
    "orl %ecx, %eax\n"
    "jz 1f\n"
    "ldmxcsr (%rsp)\n"
    "fldcw 4(%rsp)\n"
    "1:\n"
    "addq $8, %rsp\n"
    ".cfi_adjust_cfa_offset -8\n"
    BACK("r12") BACK("r13") BACK("r14") BACK("r15") BACK("rbx") BACK("rbp")
    "popq %rcx\n"
    ".cfi_adjust_cfa_offset -8\n"
    ".cfi_register %rip, %rcx\n"
    "notrack jmp *%rcx\n"
    END("brood__context_jump"));

__asm__(FUNCTION("brood__context_begin")
    ".cfi_undefined %rip\n"
    "endbr64\n"
    "movq %r12, %rdi\n"
    "call *%r13\n"
    "ud2\n"
    END("brood__context_begin"));
/* clang-format on */

/* The layout that brood__context_jump() leaves, lowest address first. */
typedef struct frame_t {
    uint32_t mxcsr;
    uint32_t x87;
    void *self;                         /* r12 */
    void (*run)(brood__os_context_t *); /* r13 */
    void *r14, *r15, *rbx;
    void *rbp;           /* NULL ends a chain of frames */
    void (*begin)(void); /* the return address */
    void *none[2];       /* keeps the stack a multiple of 16 */
} frame_t;

/* The floating point environment is the one of whoever makes the context. */
static void fill(frame_t *frame)
{
    uint16_t x87;

    __asm__ __volatile__("stmxcsr %0" : "=m"(frame->mxcsr));
    __asm__ __volatile__("fnstcw %0" : "=m"(x87));
    frame->x87 = x87;
}

/* rdsspq is no operation, and leaves the 0, unless shadow stacks are on. */
int brood__context_possible(void)
{
    uint64_t shadow = 0;

    __asm__ __volatile__(".byte 0xf3, 0x48, 0x0f, 0x1e, 0xc8" : "+a"(shadow));
    return shadow == 0;
}

#elif defined(__aarch64__)

#define KEPT(a, b, at)                                                         \
    "stp " a ", " b ", [sp, #" #at "]\n"                                       \
    ".cfi_rel_offset " a ", " #at "\n"                                         \
    ".cfi_rel_offset " b ", " #at " + 8\n"
#define BACK(a, b, at)                                                         \
    "ldp " a ", " b ", [sp, #" #at "]\n"                                       \
    ".cfi_restore " a "\n"                                                     \
    ".cfi_restore " b "\n"

/* clang-format off */
__asm__(FUNCTION("brood__context_jump")
    "hint #34\n" /* bti c */
    "sub sp, sp, #176\n"
    ".cfi_adjust_cfa_offset 176\n"
    KEPT("x19", "x20", 0) KEPT("x21", "x22", 16) KEPT("x23", "x24", 32)
    KEPT("x25", "x26", 48) KEPT("x27", "x28", 64) KEPT("x29", "x30", 80)
    KEPT("d8", "d9", 96) KEPT("d10", "d11", 112)
    KEPT("d12", "d13", 128) KEPT("d14", "d15", 144)
    "mrs x9, fpcr\n"
    "str x9, [sp, #160]\n"

    "mov x10, sp\n"
    "str x10, [x0]\n"
    "mov sp, x1\n" /* from here on: the other stack, of the same shape */

    "ldr x10, [sp, #160]\n"
    "cmp x9, x10\n" /* writing it stalls the pipeline, so only if it differs */
    "b.eq 1f\n"
    "msr fpcr, x10\n"
    "1:\n"
    BACK("x19", "x20", 0) BACK("x21", "x22", 16) BACK("x23", "x24", 32)
    BACK("x25", "x26", 48) BACK("x27", "x28", 64) BACK("x29", "x30", 80)
    BACK("d8", "d9", 96) BACK("d10", "d11", 112)
    BACK("d12", "d13", 128) BACK("d14", "d15", 144)
    "add sp, sp, #176\n"
    ".cfi_adjust_cfa_offset -176\n"
    "ret\n" /* BTI lets a return land anywhere */
    END("brood__context_jump"));

__asm__(FUNCTION("brood__context_begin")
    ".cfi_undefined x30\n"
    "hint #34\n"
    "mov x0, x19\n"
    "blr x20\n"
    "brk #1\n"
    END("brood__context_begin"));
/* clang-format on */

/* The layout that brood__context_jump() leaves, lowest address first. */
typedef struct frame_t {
    void *self;                         /* x19 */
    void (*run)(brood__os_context_t *); /* x20 */
    void *x21_to_x28[8];
    void *x29;           /* NULL ends a chain of frames */
    void (*begin)(void); /* x30, the return address */
    uint64_t d8_to_d15[8];
    uint64_t fpcr;
    uint64_t none; /* keeps the stack a multiple of 16 */
} frame_t;

/* The floating point environment is the one of whoever makes the context. */
static void fill(frame_t *frame)
{
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(frame->fpcr));
}

/* chkfeat clears the bits of x16 whose feature is on: bit 0 is the guarded
 * control stack. An older processor does nothing. */
int brood__context_possible(void)
{
    register uint64_t features __asm__("x16") = 1;

    __asm__ __volatile__("hint #40" : "+r"(features));
    return features != 0;
}

#endif

void brood__context_prepare(brood__os_context_t *self)
{
    const uintptr_t top = ((uintptr_t)self->bottom + self->size)
                          & ~(uintptr_t)15;
    frame_t *frame = (frame_t *)top - 1;

    memset(frame, 0, sizeof(*frame));
    fill(frame);
    frame->self = self;
    frame->run = brood__context_run;
    frame->begin = brood__context_begin;
    self->sp = frame;
}

void brood__context_swap(brood__os_context_t *from, brood__os_context_t *to)
{
    brood__context_jump(&from->sp, to->sp);
}

#else

/* ISO C wants something in every file. */
typedef int brood__swap_is_elsewhere_t;

#endif
