//! The filter of system calls, the same for all runs: what is not named here is allowed, and harmless
//! within the other walls.

use super::NoSandbox;
use libc::{AF_INET, AF_INET6, AF_UNIX, SOCK_STREAM};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, sock_filter,
};
use std::collections::BTreeMap;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Refused whatever the arguments.
const REFUSED: &[i64] = &[
    // Other programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kcmp,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    STATMOUNT,
    LISTMOUNT,
    OPEN_TREE_ATTR,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    // Parts of the kernel that workflows do not need and attackers like.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_seccomp,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_personality,
    libc::SYS_vhangup,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_mbind,
    libc::SYS_set_mempolicy,
    // What stays when a run is gone.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmdt,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semctl,
    libc::SYS_semtimedop,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
];

#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] = &[
    libc::SYS_modify_ldt,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
    libc::SYS__sysctl,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[];

/// Newer than the table of the library; the numbers are the same on every architecture.
const STATMOUNT: i64 = 457;
const LISTMOUNT: i64 = 458;
const OPEN_TREE_ATTR: i64 = 467;

/// Flags of `clone` that make namespaces.
const NAMESPACES: [i32; 8] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    0x80, // CLONE_NEWTIME
];

const SOCKET_KIND: u64 = 0xf;
const TERMINAL_INPUT: u64 = 0x5412;

/// Rules that are asked one after the other. The kernel asks the whole program about every call there
/// is when it is loaded, which with one chain would be most of what the walls cost.
const CHAIN: usize = 6;

/// The program that every child loads, each instruction eight bytes.
pub(super) fn filter() -> Result<Vec<u8>, NoSandbox> {
    let wrong = |error: seccompiler::BackendError| NoSandbox::Rules(error.to_string());
    let mut program = not_there();
    let rules: Vec<_> = rules().map_err(wrong)?.into_iter().collect();
    let mut chains = rules.chunks(CHAIN).peekable();
    while let Some(chain) = chains.next() {
        let part = refusals(chain.iter().cloned().collect()).map_err(wrong)?;
        // Rules are sorted by call: one that belongs to a later chain passes this one by.
        if let Some(next) = chains.peek().and_then(|next| next.first()) {
            program.push(step(LOAD, 0, 0, 0));
            program.push(step(AT_LEAST, 0, 1, number(next.0)));
            program.push(step(JUMP, 0, 0, u32::try_from(part.len()).unwrap_or(u32::MAX)));
        }
        program.extend(part);
    }
    Ok(bytes(&program))
}

fn refusals(rules: Rules) -> Result<BpfProgram, seccompiler::BackendError> {
    let arch = std::env::consts::ARCH.try_into()?;
    let refuse = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}

/// Calls have small numbers.
fn number(call: i64) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const EQUAL: u16 = 0x15;
const AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

fn step(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn rules() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = REFUSED.iter().chain(REFUSED_HERE).map(|call| (*call, vec![])).collect();
    let is_not = |argument, value: i32| {
        SeccompCondition::new(argument, Dword, SeccompCmpOp::Ne, value.cast_unsigned().into())
    };
    let mut sockets = vec![SeccompRule::new(vec![is_not(0, AF_INET)?, is_not(0, AF_INET6)?])?];
    sockets.extend(other_kinds()?);
    sockets.push(SeccompRule::new(vec![is_not(2, 0)?, is_not(2, libc::IPPROTO_TCP)?])?);
    rules.insert(libc::SYS_socket, sockets);
    // A pair of datagram sockets can write to anybody's.
    let mut pairs = vec![SeccompRule::new(vec![is_not(0, AF_UNIX)?])?];
    pairs.extend(other_kinds()?);
    rules.insert(libc::SYS_socketpair, pairs);
    let flags = NAMESPACES.map(|flag| {
        let flag = u64::from(flag.cast_unsigned());
        SeccompRule::new(vec![masked(0, flag, flag)?])
    });
    rules.insert(libc::SYS_clone, flags.into_iter().collect::<Result<_, _>>()?);
    rules.insert(
        libc::SYS_ioctl,
        vec![SeccompRule::new(vec![masked(1, u64::MAX, TERMINAL_INPUT)?])?],
    );
    Ok(rules)
}

/// Every kind of socket that is no stream.
fn other_kinds() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let others = (0..=SOCKET_KIND).filter(|kind| *kind != u64::from(SOCK_STREAM.cast_unsigned()));
    others.map(|kind| SeccompRule::new(vec![masked(1, SOCKET_KIND, kind)?])).collect()
}

fn masked(
    argument: u8,
    mask: u64,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    let mask = mask & u64::from(u32::MAX);
    SeccompCondition::new(argument, Dword, SeccompCmpOp::MaskedEq(mask), value)
}

/// Calls that are said not to exist: `clone3`, whose flags no filter can see, so that libraries use
/// `clone`; and those of the other table of x86-64, which would pass the refusals by.
fn not_there() -> BpfProgram {
    const ERRNO: u32 = 0x0005_0000;
    const OTHER_TABLE: u32 = 0x4000_0000;
    // Of the same number on every architecture.
    const CLONE3: u32 = 435;
    vec![
        step(LOAD, 0, 0, 0),
        step(AT_LEAST, 1, 0, OTHER_TABLE),
        step(EQUAL, 0, 1, CLONE3),
        step(RETURN, 0, 0, ERRNO | libc::ENOSYS.cast_unsigned()),
    ]
}

fn bytes(program: &[sock_filter]) -> Vec<u8> {
    let instruction = |each: &sock_filter| {
        let [a, b] = each.code.to_ne_bytes();
        let [c, d, e, f] = each.k.to_ne_bytes();
        [a, b, each.jt, each.jf, c, d, e, f]
    };
    program.iter().flat_map(instruction).collect()
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn the_filter_is_what_the_kernel_takes() {
        let filter = filter().unwrap();
        // The kernel takes at most 4,096 instructions.
        assert!(filter.len() > 100 * 8 && filter.len() < 4096 * 8, "{}", filter.len());
        assert!(filter.len().is_multiple_of(8));
    }
}
