"""Cells: child processes in which decoders and models run, and may die.

A file goes through hundreds of thousands of lines of C before anybody knows whether it is sound. So it is read, decoded
and shown to models in a process of its own, with bounds on memory, time, files and network. What dies there is an
outcome (`errors`), not an accident of the service.

    Cell, Cells (cell)  what a service holds: calls functions of a module in a child, makes a new child where one ended
    CellProcess         one child: spawned, spoken to, ended, reaped
    child, confine      the other side: confines itself, then serves calls
    frames              what goes between them: lengths and msgpack of plain values, never pickle, each of bounded size
"""
