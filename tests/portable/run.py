"""Run the `test_*` functions of the files named as arguments, under either Python."""

import asyncio
import gc
import sys


def main(paths: list[str]) -> int:
    failed = passed = 0
    for path in paths:
        space: dict[str, object] = {"__name__": "portable"}
        with open(path) as file:
            exec(file.read(), space)
        for name in sorted(space):
            test = space[name]
            if not name.startswith("test_") or not callable(test):
                continue
            gc.collect()  # each test has the heap to itself
            asyncio.new_event_loop()  # tasks a failed test left behind must not run on
            try:
                test()
                passed += 1
            except Exception as error:
                failed += 1
                print("FAILED", path, name)
                getattr(sys, "print_exception", print)(error)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
