//! Counts how often each instruction of a QEMU guest runs, and writes the counts to a file when QEMU ends.
//!
//! `-plugin libconvrnn_instruction_counter.so,output=FILE`; each line of the file is an address in hexadecimal and a
//! count. Counts are exact and the same in every run of the same instructions.

mod plugin;

use plugin::{ADD_U64, Information, PluginId, VERSION};
use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char, c_int, c_void},
    fmt::Write,
    sync::Mutex,
};

/// By address, a counter that QEMU adds to. It is never freed.
static COUNTERS: Mutex<BTreeMap<u64, usize>> = Mutex::new(BTreeMap::new());

/// Where the counts go.
static OUTPUT: Mutex<Option<String>> = Mutex::new(None);

/// What QEMU reads to know whether it can load this library.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static qemu_plugin_version: c_int = VERSION;

/// QEMU calls this once, before the guest runs.
///
/// # Safety
/// `arguments` holds `count` strings, as QEMU passes them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: PluginId,
    _information: *const Information,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    for index in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: QEMU passes `count` pointers to strings that live through this call.
        let argument = unsafe { CStr::from_ptr(*arguments.add(index)) }.to_string_lossy();
        match argument.split_once('=') {
            Some(("output", path)) => {
                *OUTPUT.lock().unwrap_or_else(|error| error.into_inner()) = Some(path.to_owned());
            }
            _ => {
                eprintln!(
                    "error: instruction counter: unknown argument {argument:?}, expected output=FILE"
                );
                return 1;
            }
        }
    }
    // SAFETY: both callbacks have the signatures that this version of the interface asks for, and live for ever.
    unsafe {
        plugin::qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
        plugin::qemu_plugin_register_atexit_cb(id, ended, std::ptr::null_mut());
    }
    0
}

/// Gives every instruction of a block its address's counter.
extern "C" fn translated(_id: PluginId, block: *mut c_void) {
    let mut counters = COUNTERS.lock().unwrap_or_else(|error| error.into_inner());
    // SAFETY: QEMU passes a block that lives through this call; the indices are below its length; the counters are
    // leaked, so QEMU's code may add to them for ever, and only one processor runs.
    unsafe {
        for index in 0..plugin::qemu_plugin_tb_n_insns(block) {
            let instruction = plugin::qemu_plugin_tb_get_insn(block, index);
            let address = plugin::qemu_plugin_insn_vaddr(instruction);
            let counter = *counters.entry(address).or_insert_with(|| {
                std::ptr::from_mut(Box::leak(Box::new(0_u64))).expose_provenance()
            });
            plugin::qemu_plugin_register_vcpu_insn_exec_inline(
                instruction,
                ADD_U64,
                std::ptr::with_exposed_provenance_mut(counter),
                1,
            );
        }
    }
}

/// Writes the counts.
extern "C" fn ended(_id: PluginId, _data: *mut c_void) {
    let counters = COUNTERS.lock().unwrap_or_else(|error| error.into_inner());
    let Some(path) = OUTPUT
        .lock()
        .unwrap_or_else(|error| error.into_inner())
        .take()
    else {
        return;
    };
    let mut text = String::new();
    for (address, &counter) in counters.iter() {
        // SAFETY: the counter was leaked by `translated`, and the guest has stopped.
        let count = unsafe { *std::ptr::with_exposed_provenance::<u64>(counter) };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{address:x} {count}");
    }
    if let Err(error) = std::fs::write(&path, text) {
        eprintln!("error: instruction counter: cannot write {path}: {error}");
    }
}
