//! Counts how often each instruction of a QEMU guest runs, and writes the counts to a file when QEMU ends.
//!
//! `-plugin libconvrnn_instruction_counter.so,output=FILE,marks=FILE,processors=FILE`. Each line of the output is an
//! address in hexadecimal and a count; each line of the marks says how many instructions had run when the guest came to
//! the reserved hint [`MARK`]; each line of the processors' file, which is for machines of several, says which processor
//! came to the mark and how many instructions it had run itself. Counts are exact and the same in every run of the same
//! instructions. Any file may be left out; with the processors' QEMU is many times slower.

mod plugin;

use plugin::{ADD_U64, Information, NO_REGISTERS, PluginId, VERSION};
use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    fmt::Write,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// The instruction that marks a moment: a Thumb hint that no processor gives a meaning.
pub const MARK: u16 = 0xbfe0;

/// By address, a counter that QEMU adds to. It is never freed.
static COUNTERS: Mutex<BTreeMap<u64, usize>> = Mutex::new(BTreeMap::new());

/// All instructions so far, which QEMU adds to, as an address. It is never freed.
static TOTAL: OnceLock<usize> = OnceLock::new();

/// [`TOTAL`] at each mark.
static MARKS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// By processor, the instructions that it has run.
static BY_PROCESSOR: [AtomicU64; PROCESSORS] = [const { AtomicU64::new(0) }; PROCESSORS];

/// Most processors of a machine.
const PROCESSORS: usize = 16;

/// The processor that came to a mark and its instructions before, at each mark.
static PROCESSOR_MARKS: Mutex<Vec<(c_uint, u64)>> = Mutex::new(Vec::new());

/// Where the processors' marks go.
static PROCESSORS_OUTPUT: Mutex<Option<String>> = Mutex::new(None);

/// Where the counts go.
static OUTPUT: Mutex<Option<String>> = Mutex::new(None);

/// Where the marks go.
static MARKS_OUTPUT: Mutex<Option<String>> = Mutex::new(None);

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
            Some(("marks", path)) => {
                *MARKS_OUTPUT.lock().unwrap_or_else(|error| error.into_inner()) = Some(path.to_owned());
            }
            Some(("processors", path)) => {
                *PROCESSORS_OUTPUT.lock().unwrap_or_else(|error| error.into_inner()) = Some(path.to_owned());
            }
            _ => {
                eprintln!(
                    "error: instruction counter: unknown argument {argument:?}, expected output=FILE, marks=FILE or \
                     processors=FILE"
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

/// A number that QEMU's code may add to for ever.
fn counter() -> usize {
    std::ptr::from_mut(Box::leak(Box::new(0_u64))).expose_provenance()
}

/// Notes how many instructions ran before a mark.
extern "C" fn marked(processor: c_uint, _data: *mut c_void) {
    if let Some(own) = BY_PROCESSOR.get(processor as usize) {
        let count = own.load(Ordering::Relaxed);
        PROCESSOR_MARKS.lock().unwrap_or_else(|error| error.into_inner()).push((processor, count));
    }
    let total = *TOTAL.get_or_init(counter);
    // SAFETY: the number was leaked by `counter`, and QEMU with `-icount` runs one processor at a
    // time: the one that is here, not adding to it.
    let total = unsafe { *std::ptr::with_exposed_provenance::<u64>(total) };
    MARKS.lock().unwrap_or_else(|error| error.into_inner()).push(total);
}

/// Counts an instruction for its processor.
extern "C" fn counted(processor: c_uint, _data: *mut c_void) {
    if let Some(own) = BY_PROCESSOR.get(processor as usize) {
        own.fetch_add(1, Ordering::Relaxed);
    }
}

/// Gives every instruction of a block its address's counter, and every mark its note.
extern "C" fn translated(_id: PluginId, block: *mut c_void) {
    let mut counters = COUNTERS.lock().unwrap_or_else(|error| error.into_inner());
    let has_processors = PROCESSORS_OUTPUT.lock().unwrap_or_else(|error| error.into_inner()).is_some();
    // SAFETY: QEMU passes a block that lives through this call; the indices are below its length; an instruction's data
    // has as many bytes as its size says; the counters are leaked, so QEMU's code may add to them for ever, and one
    // processor runs at a time; the callbacks have the signature that this version of the interface asks for.
    unsafe {
        for index in 0..plugin::qemu_plugin_tb_n_insns(block) {
            let instruction = plugin::qemu_plugin_tb_get_insn(block, index);
            let address = plugin::qemu_plugin_insn_vaddr(instruction);
            let own = *counters.entry(address).or_insert_with(counter);
            let is_mark = plugin::qemu_plugin_insn_size(instruction) == 2 && {
                let bytes = plugin::qemu_plugin_insn_data(instruction).cast::<u16>();
                u16::from_le(bytes.read_unaligned()) == MARK
            };
            if is_mark {
                plugin::qemu_plugin_register_vcpu_insn_exec_cb(instruction, marked, NO_REGISTERS, std::ptr::null_mut());
            }
            if has_processors {
                plugin::qemu_plugin_register_vcpu_insn_exec_cb(
                    instruction,
                    counted,
                    NO_REGISTERS,
                    std::ptr::null_mut(),
                );
            }
            for number in [own, *TOTAL.get_or_init(counter)] {
                plugin::qemu_plugin_register_vcpu_insn_exec_inline(
                    instruction,
                    ADD_U64,
                    std::ptr::with_exposed_provenance_mut(number),
                    1,
                );
            }
        }
    }
}

/// Writes the counts and the marks.
extern "C" fn ended(_id: PluginId, _data: *mut c_void) {
    let mut text = String::new();
    for (address, &counter) in COUNTERS.lock().unwrap_or_else(|error| error.into_inner()).iter() {
        // SAFETY: the number was leaked by `counter`, and the guest has stopped.
        let count = unsafe { *std::ptr::with_exposed_provenance::<u64>(counter) };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{address:x} {count}");
    }
    write(&OUTPUT, &text);
    let marks = MARKS.lock().unwrap_or_else(|error| error.into_inner());
    let text: String = marks.iter().map(|total| format!("{total}\n")).collect();
    write(&MARKS_OUTPUT, &text);
    let marks = PROCESSOR_MARKS.lock().unwrap_or_else(|error| error.into_inner());
    let text: String = marks.iter().map(|(processor, count)| format!("{processor} {count}\n")).collect();
    write(&PROCESSORS_OUTPUT, &text);
}

/// Writes a text where it was asked for.
fn write(output: &Mutex<Option<String>>, text: &str) {
    let Some(path) = output.lock().unwrap_or_else(|error| error.into_inner()).take() else {
        return;
    };
    if let Err(error) = std::fs::write(&path, text) {
        eprintln!("error: instruction counter: cannot write {path}: {error}");
    }
}
