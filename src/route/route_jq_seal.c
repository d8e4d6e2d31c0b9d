/* route/route_jq_seal: see route_jq_seal.h. A filter of the kernel's own (seccomp): one comparison
 * for each call that is kept. Sanitizers have calls of their own, so none is set under them. */
#include "route/route_jq_seal.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#undef OWN_ARCH
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef OWN_ARCH
#endif
#endif

#ifdef OWN_ARCH

#define KEEP(call)                                                                                 \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##call, 0, 1),                                        \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

void jq_seal(void)
{
    static struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        KEEP(read),
        KEEP(write),
        KEEP(setitimer),
        KEEP(brk),
        KEEP(mmap),
        KEEP(munmap),
        KEEP(mremap),
        KEEP(madvise),
        KEEP(mprotect),
        KEEP(futex),
        KEEP(clock_gettime),
        KEEP(rt_sigreturn),
        KEEP(rt_sigprocmask),
        KEEP(rt_sigaction),
        KEEP(restart_syscall),
        KEEP(getpid),
        KEEP(gettid),
        KEEP(tgkill),
        KEEP(exit),
        KEEP(exit_group),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    const struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        (void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#else

void jq_seal(void)
{
}

#endif
