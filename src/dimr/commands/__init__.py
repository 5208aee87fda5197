"""Commands of the program, one module each, exposing one function (or typer app) of its name.

The function's signature is the command's (typer), its docstring the help text. It imports what is
heavy inside of its body and raises ValueError or OSError for what the user can mend; `dimr.cli`
turns those into one line.
"""
