"""Writes a function that does nothing for each name that TensorFlow knows of a library.

python stubs.py NM LIBTENSORFLOW_FRAMEWORK SONAME > stubs.c

TensorFlow reaches CUDA through functions of its own, one for each of CUDA's, which look
up the true one when first called; their names are exported, so they can be listed. The
functions made here are weak: what is written by hand takes their place.
"""

import re
import subprocess
import sys

#: The libraries that TensorFlow loads, and what the names of their functions are like.
LIBRARIES = {
    "libcuda.so.1": r"cu[A-Z]\w+",
    "libcudart.so.12": r"(cuda|__cuda)\w+",
    "libnvidia-ml.so.1": r"nvml\w+",
    "libcublas.so.12": r"cublas(?!Lt)\w+",
    "libcublasLt.so.12": r"cublasLt\w+",
    "libcudnn.so.9": r"cudnn\w+",
    "libcufft.so.11": r"cufft\w+",
    "libcusolver.so.11": r"cusolver\w+",
    "libcusparse.so.12": r"cusparse\w+",
}


def main(nm, library, soname):
    listing = subprocess.run(
        [nm, "-D", "--defined-only", library],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = {line.split()[-1] for line in listing.splitlines()}
    wanted = re.compile(LIBRARIES[soname])
    print(f"/* {soname}: what nobody has written by hand. */")
    print("#define STUB(name) __attribute__((weak)) long name(void) { return 0; }")
    print("extern int fake_cuda_is_no_empty_file;")
    for name in sorted(filter(wanted.fullmatch, names)):
        print(f"STUB({name})")


if __name__ == "__main__":
    main(*sys.argv[1:])
