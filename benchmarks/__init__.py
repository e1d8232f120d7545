"""The benchmarks: `python -m benchmarks NAME`. Nothing of the library imports them; README.md beside this file says what each one measures."""
