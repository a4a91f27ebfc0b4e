#!/usr/bin/env bash
# Random images written by GNU objcopy as Intel HEX and S-records: packline finds the same bytes at the same addresses
# that went in, and objcopy reads back what packline says. A damaged record that objcopy refuses is refused here too.
# Needs BUILD and SOURCE; SEED gives other images.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 - "$BUILD/packline" "${SEED:-1}" <<'P'
import hashlib, random, subprocess, sys

packline, seed = sys.argv[1], int(sys.argv[2])
choice = random.Random(seed)
IMAGES, DAMAGED = 200, 40
failed = 0

def run(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

def objcopy(*words):
    done = run("arm-none-eabi-objcopy", *words)
    if done.returncode:
        sys.exit(f"objcopy: {' '.join(words)}: {done.stderr}")

def fail(what, text):
    global failed
    failed += 1
    print(f"FAILED: seed {seed}: {what}: {text}")

def inspect(*words):
    done = run(packline, "firmware", "inspect", *words)
    return done.returncode, done.stdout + done.stderr

def segments(limit):
    """Ascending, apart, at addresses that records find hard: near 64 KiB borders and at odd places."""
    at = choice.choice([0, 0x100, 0xFF80, 0x1FFF0, 0x08000000, 0x0800FFF1, 0x20000000, 0x7FFFFF00, 0xFFFF0000]) % limit
    found = []
    for _ in range(choice.choice([1, 1, 2, 3, 5])):
        size = choice.choice([1, 2, 15, 16, 17, 255, 256, choice.randrange(1, 3000)])
        at += choice.choice([0, 1, 7, 4096, 0xFF00])
        if at + size > limit:
            break
        found.append((at, choice.randbytes(size)))
        at += size + 1 + choice.randrange(64)
    return found or [(0, b"\0")]

def expectation(parts):
    lines = ["sha256 " + hashlib.sha256(b"".join(b for _, b in parts)).hexdigest(),
             f"bytes {sum(len(b) for _, b in parts)}"]
    return lines + [f"region 0x{a:08X} {len(b)}" for a, b in parts]

def make_elf(parts):
    words = []
    for i, (at, data) in enumerate(parts):
        open(f"part{i}", "wb").write(data)
        words += ["--add-section", f".p{i}=part{i}", "--set-section-flags", f".p{i}=alloc,load,contents",
                  "--change-section-address", f".p{i}=0x{at:x}"]
    objcopy("-I", "elf32-littlearm", *words, "empty.o", "image.o")

def damaged(name):
    text = open(name).read()
    places = [i for i, c in enumerate(text) if c in "0123456789ABCDEF" and text[i - 1] != "S"]
    at = choice.choice(places)
    other = choice.choice([c for c in "0123456789ABCDEF" if c != text[at]])
    open("damaged", "w").write(text[:at] + other + text[at + 1:])
    kind = "ihex" if name.endswith("hex") else "srec"
    return run("arm-none-eabi-objcopy", "-I", kind, "-O", "binary", "damaged", "out.bin").returncode != 0

open("empty.s", "w").write("")
subprocess.run(["arm-none-eabi-as", "empty.s", "-o", "empty.o"], check=True)
refused = 0
for number in range(IMAGES):
    kind = choice.choice(["ihex", "srec", "srec", "ihex", "segments"])
    extra = []
    limit = 1 << 32
    if kind == "srec":
        extra = choice.choice([[], ["--srec-forceS3"], [f"--srec-len={choice.randrange(1, 250)}"]])
    if kind == "segments":
        kind, limit = "ihex", 1 << 20 # what records 02 reach
    parts = segments(limit)
    make_elf(parts)
    name = "image." + ("hex" if kind == "ihex" else "srec")
    objcopy("-I", "elf32-littlearm", "-O", kind, *extra, "image.o", name)
    code, text = inspect(name)
    if code or text.splitlines()[1:1 + 2 + len(parts)] != expectation(parts):
        fail(f"image {number} {kind} {extra}", text + "expected\n" + "\n".join(expectation(parts)))
    # The other way: the raw bytes that objcopy makes of the file, gaps filled, are one region from the first address.
    span = parts[-1][0] + len(parts[-1][1]) - parts[0][0]
    if span < 1 << 20 and number % 2:
        objcopy("-I", kind, "-O", "binary", "--gap-fill", "0xa5", name, "flat.bin")
        flat = bytearray(b"\xa5" * span)
        for at, data in parts:
            flat[at - parts[0][0]:at - parts[0][0] + len(data)] = data
        if open("flat.bin", "rb").read() != bytes(flat):
            fail(f"image {number}", "objcopy reads its own file differently")
        if flat[:1] not in (b":", b"S", b"\x7f"):
            code, text = inspect("--base", f"0x{parts[0][0]:x}", "flat.bin")
            if code or text.splitlines()[1:4] != expectation([(parts[0][0], bytes(flat))]):
                fail(f"image {number} flat", text)
    if number < DAMAGED and damaged(name):
        refused += 1
        code, text = inspect("damaged")
        if code != 3:
            fail(f"damaged image {number}", f"exit {code}: {text}")
if refused < DAMAGED // 4:
    fail("damaged images", f"objcopy refuses only {refused}")
print(f"{IMAGES} images, {refused} damaged ones refused, {failed} failures")
sys.exit(failed != 0)
P
