//! The filter of system calls, the same for all runs: what is not named here is allowed, and harmless
//! within the other walls.
//!
//! It is put together here and not by a library because each child loads it: the kernel translates every
//! instruction each time, and a hundred are enough where a general compiler needs eight hundred.

use libc::{AF_INET, AF_INET6, AF_UNIX, IPPROTO_TCP, SOCK_STREAM};

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

/// Flags of `clone` that make namespaces. (The one of time cannot be given to it.)
const NAMESPACES: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

const SOCKET_KIND: u32 = 0xf;
const TERMINAL_INPUT: u32 = 0x5412;
/// Of the same number on every architecture.
const CLONE3: u32 = 435;
/// Where the numbers of x86-64's other table begin, which would pass the refusals by.
const OTHER_TABLE: u32 = 0x4000_0000;

/// One instruction: what, how far to jump if so and if not, and with which number.
type Step = (u16, u8, u8, u32);

const ALLOW: Step = (0x06, 0, 0, 0x7fff_0000);
const KILL: Step = (0x06, 0, 0, 0x8000_0000);
const REFUSE: Step = (0x06, 0, 0, 0x0005_0000 | libc::EPERM.cast_unsigned());
const NOT_THERE: Step = (0x06, 0, 0, 0x0005_0000 | libc::ENOSYS.cast_unsigned());
const CALL: Step = (0x20, 0, 0, 0);
const TABLE: Step = (0x20, 0, 0, 4);

/// The lower half of an argument: none of those that are looked at has more.
const fn argument(number: u32) -> Step {
    (0x20, 0, 0, 16 + 8 * number)
}

const fn and(mask: u32) -> Step {
    (0x54, 0, 0, mask)
}

const fn if_equal(value: u32, then: u8, otherwise: u8) -> Step {
    (0x15, then, otherwise, value)
}

const fn if_at_least(value: u32, then: u8, otherwise: u8) -> Step {
    (0x35, then, otherwise, value)
}

const fn if_any_of(bits: u32, then: u8, otherwise: u8) -> Step {
    (0x45, then, otherwise, bits)
}

/// The program that every run loads, each instruction eight bytes.
pub(super) fn filter() -> Vec<u8> {
    put_together(sockets(), &[])
}

/// What an installation may do that a run may not: start programs and watch them.
const OF_INSTALLERS: &[i64] =
    &[libc::SYS_execve, libc::SYS_execveat, libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal];

/// The program of those that install packages: they start others, and ask for names by themselves.
pub(super) fn of_installers() -> Vec<u8> {
    put_together(sockets_of_installers(), OF_INSTALLERS)
}

fn put_together(sockets: Vec<Step>, allowed: &[i64]) -> Vec<u8> {
    let mut program = vec![TABLE, if_equal(ARCHITECTURE, 1, 0), KILL, CALL];
    // `clone3` takes flags that no filter can see: libraries use `clone` when there is none.
    program.extend([if_at_least(OTHER_TABLE, 1, 0), if_equal(CLONE3, 0, 1), NOT_THERE]);
    for (call, checks) in [
        (libc::SYS_socket, sockets),
        (libc::SYS_socketpair, pairs()),
        (
            libc::SYS_clone,
            vec![argument(0), if_any_of(NAMESPACES.cast_unsigned(), 0, 1), REFUSE, ALLOW],
        ),
        (libc::SYS_ioctl, vec![argument(1), if_equal(TERMINAL_INPUT, 0, 1), REFUSE, ALLOW]),
    ] {
        program.push(if_equal(number(call), 0, length(&checks)));
        program.extend(checks);
    }
    program.extend(refusals(allowed));
    program.into_iter().flat_map(bytes).collect()
}

/// Calls that are compared one after the other. The kernel asks a program that is loaded about every
/// call there is, so with one long row that would be most of what the walls cost.
const ROW: usize = 12;

/// Refuses what is refused whatever the arguments, but for those of `allowed`; allows the rest.
fn refusals(allowed: &[i64]) -> Vec<Step> {
    let refused = REFUSED.iter().chain(REFUSED_HERE).filter(|call| !allowed.contains(call));
    let mut calls: Vec<u32> = refused.map(|call| number(*call)).collect();
    calls.sort_unstable();
    let rows: Vec<&[u32]> = calls.chunks(ROW).collect();
    // Each row has what passes it by and what allows the rest of it; the last needs no passing.
    let all = calls.len() + 2 * rows.len() - 1;
    let mut steps = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if let Some(next) = rows.get(at + 1) {
            let over = u8::try_from(row.len() + 1).unwrap_or(u8::MAX);
            steps.push(if_at_least(next[0], over, 0));
        }
        for call in *row {
            let to_the_end = u8::try_from(all - steps.len() - 1).unwrap_or(u8::MAX);
            steps.push(if_equal(*call, to_the_end, 0));
        }
        steps.push(ALLOW);
    }
    steps.push(REFUSE);
    steps
}

/// Streams of the internet only.
fn sockets() -> Vec<Step> {
    let [four, six] = [AF_INET, AF_INET6].map(i32::cast_unsigned);
    vec![
        argument(0),
        if_equal(four, 1, 0),
        if_equal(six, 0, 6),
        argument(1),
        and(SOCKET_KIND),
        if_equal(SOCK_STREAM.cast_unsigned(), 0, 3),
        argument(2),
        if_equal(0, 2, 0),
        if_equal(IPPROTO_TCP.cast_unsigned(), 1, 0),
        REFUSE,
        ALLOW,
    ]
}

/// Streams and datagrams of the internet only.
fn sockets_of_installers() -> Vec<Step> {
    let [four, six] = [AF_INET, AF_INET6].map(i32::cast_unsigned);
    let [stream, datagram] = [SOCK_STREAM, libc::SOCK_DGRAM].map(i32::cast_unsigned);
    vec![
        argument(0),
        if_equal(four, 1, 0),
        if_equal(six, 0, 4),
        argument(1),
        and(SOCKET_KIND),
        if_equal(stream, 2, 0),
        if_equal(datagram, 1, 0),
        REFUSE,
        ALLOW,
    ]
}

/// Pairs of streams: one of datagrams can write to anybody's socket.
fn pairs() -> Vec<Step> {
    vec![
        argument(0),
        if_equal(AF_UNIX.cast_unsigned(), 0, 3),
        argument(1),
        and(SOCKET_KIND),
        if_equal(SOCK_STREAM.cast_unsigned(), 1, 0),
        REFUSE,
        ALLOW,
    ]
}

/// Calls have small numbers.
fn number(call: i64) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

fn length(steps: &[Step]) -> u8 {
    u8::try_from(steps.len()).unwrap_or(u8::MAX)
}

fn bytes((code, then, otherwise, value): Step) -> [u8; 8] {
    let [a, b] = code.to_ne_bytes();
    let [c, d, e, f] = value.to_ne_bytes();
    [a, b, then, otherwise, c, d, e, f]
}

#[cfg(test)]
mod tests {
    use super::{NAMESPACES, REFUSED, REFUSED_HERE, filter, of_installers};

    const ALLOWED: u32 = 0x7fff_0000;
    const REFUSED_WITH: u32 = 0x0005_0000 | 1;

    /// What the kernel would do with a call, by a reading of the program of its own.
    fn ask(table: u32, call: i64, arguments: [u32; 3]) -> u32 {
        decide(&filter(), (table, call, arguments))
    }

    fn decide(program: &[u8], (table, call, arguments): (u32, i64, [u32; 3])) -> u32 {
        let (mut at, mut held) = (0, 0_u32);
        loop {
            let step: &[u8; 8] = program[at * 8..at * 8 + 8].try_into().unwrap();
            let code = u16::from_ne_bytes([step[0], step[1]]);
            let value = u32::from_ne_bytes([step[4], step[5], step[6], step[7]]);
            at += 1;
            let is_so = match code {
                0x06 => return value,
                0x20 => {
                    held = match value {
                        0 => u32::try_from(call).unwrap(),
                        4 => table,
                        other => arguments[(other as usize - 16) / 8],
                    };
                    continue;
                }
                0x54 => {
                    held &= value;
                    continue;
                }
                0x15 => held == value,
                0x35 => held >= value,
                0x45 => held & value != 0,
                other => panic!("{other:#x}"),
            };
            at += usize::from(if is_so { step[2] } else { step[3] });
        }
    }

    fn here(call: i64, arguments: [u32; 3]) -> u32 {
        ask(super::ARCHITECTURE, call, arguments)
    }

    #[test]
    fn what_is_named_is_refused_and_nothing_else() {
        let refused: Vec<i64> = REFUSED.iter().chain(REFUSED_HERE).copied().collect();
        // A jump goes at most this far.
        assert!(super::refusals(&[]).len() < 250);
        for call in 0..600 {
            let told = here(call, [libc::AF_INET.cast_unsigned(), 1, 0]);
            let expected = match call {
                435 => 0x0005_0000 | 38,
                libc::SYS_socketpair => REFUSED_WITH,
                _ if refused.contains(&call) => REFUSED_WITH,
                _ => ALLOWED,
            };
            assert_eq!(told, expected, "{call}");
        }
        assert_eq!(ask(0x4000_0003, 11, [0; 3]), 0x8000_0000);
        assert_eq!(here(0x4000_0000 + 59, [0; 3]), 0x0005_0000 | 38);
    }

    #[test]
    fn installations_start_programs_and_ask_for_names_and_no_more() {
        let program = of_installers();
        let told = |call, arguments| decide(&program, (super::ARCHITECTURE, call, arguments));
        let differs = [libc::SYS_execve, libc::SYS_execveat, libc::SYS_pidfd_open]
            .into_iter()
            .chain([libc::SYS_pidfd_send_signal]);
        let differs: Vec<i64> = differs.collect();
        for call in 0..600 {
            let arguments = [libc::AF_INET.cast_unsigned(), 1, 0];
            let expected = if differs.contains(&call) { ALLOWED } else { here(call, arguments) };
            assert_eq!(told(call, arguments), expected, "{call}");
        }
        for family in 0..50 {
            for kind in 0..16 {
                let is_good = [2, 10].contains(&family) && [1, 2].contains(&kind);
                let told = told(libc::SYS_socket, [family, kind | 0o2_004_000, 0]);
                assert_eq!(told == ALLOWED, is_good, "{family} {kind}");
            }
        }
    }

    #[test]
    fn of_sockets_only_streams_of_the_internet_are_left() {
        for family in 0..50 {
            for kind in 0..16 {
                for protocol in [0, 1, 6, 17, 132, 255, 262] {
                    let flags = 0o2_004_000;
                    let is_good =
                        [2, 10].contains(&family) && kind == 1 && [0, 6].contains(&protocol);
                    let told = here(libc::SYS_socket, [family, kind | flags, protocol]);
                    assert_eq!(told == ALLOWED, is_good, "{family} {kind} {protocol}");
                    let told = here(libc::SYS_socketpair, [family, kind | flags, protocol]);
                    assert_eq!(told == ALLOWED, family == 1 && kind == 1, "{family} {kind}");
                }
            }
        }
    }

    #[test]
    fn a_clone_may_make_threads_and_processes_but_no_namespace() {
        assert_eq!(here(libc::SYS_clone, [0x003d_0f00, 0, 0]), ALLOWED);
        assert_eq!(here(libc::SYS_clone, [0x0120_0011, 0, 0]), ALLOWED);
        for bit in (0..32).map(|bit| 1_u32 << bit) {
            let is_namespace = NAMESPACES.cast_unsigned() & bit != 0;
            let expected = if is_namespace { REFUSED_WITH } else { ALLOWED };
            assert_eq!(here(libc::SYS_clone, [bit | 17, 0, 0]), expected, "{bit:#x}");
        }
        assert_eq!(here(libc::SYS_ioctl, [0, 0x5412, 0]), REFUSED_WITH);
        assert_eq!(here(libc::SYS_ioctl, [0, 0x5401, 0]), ALLOWED);
    }
}
