// What is left to a worker that somebody has taken over: the connections that it has, and next to nothing
// else. A seccomp filter knows the system calls of a worker; Landlock leaves it no file but the system's
// certificates, no port to bind, and nobody to signal.
//
// What no worker asks for, ever (execve, bpf, ptrace, mount …), ends the process: its supervisor says so and
// starts another. What is merely not in the list fails with EPERM and is left to the kernel's audit log: a
// new C library that wants something harmless must not take a node down.
#pragma once

#include "common/result.h"

namespace gatehouse::l7 {

// For the rest of this process's life; called when it has given up its privileges. An Error says what the
// kernel refuses: the worker goes on without, and says so. Sanitizers ask for more than workers may have:
// with them nothing is done.
Status enter_sandbox();

}  // namespace gatehouse::l7
