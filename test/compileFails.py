"""Compiles a file that must not compile and checks that the compiler says why.

usage: compileFails.py FILE COMPILER [FLAG...]
Each line `// error: REGEX` of the file must match what the compiler prints. A file without such a line must
compile. Nothing is written. Exit code 1, with the compiler's output, if it is otherwise.
"""

import pathlib
import re
import subprocess
import sys


def main():
    file, *command = sys.argv[1:]
    expected = re.findall(r"^// error: (.*)$", pathlib.Path(file).read_text(), re.MULTILINE)
    run = subprocess.run([*command, "-fsyntax-only", file], capture_output=True, text=True, timeout=300)
    output = run.stdout + run.stderr
    if not expected:
        wrong = "it must compile" if run.returncode else None
    elif run.returncode == 0:
        wrong = "it compiles, and must not"
    else:
        missing = [pattern for pattern in expected if not re.search(pattern, output)]
        wrong = f"the compiler does not say: {missing[0]}" if missing else None
    if wrong:
        sys.exit(f"{output}\n{file}: {wrong}")


main()
