# SPDX-License-Identifier: Apache-2.0
"""The structures of mien.h that Python's calls of the library share. Needs nothing but Python."""
import ctypes


class Options(ctypes.Structure):
    """mien_session_options"""
    _fields_ = [("size", ctypes.c_size_t), ("device", ctypes.c_int32), ("threads", ctypes.c_uint32),
                ("progress", ctypes.c_void_p), ("progress_user", ctypes.c_void_p), ("ordinal", ctypes.c_int32)]


class Rows(ctypes.Structure):
    """mien_rows"""
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_void_p), ("dtype", ctypes.c_int32),
                ("stride", ctypes.c_size_t)]


class Results(ctypes.Structure):
    """mien_results"""
    _fields_ = [("size", ctypes.c_size_t), ("words", ctypes.c_void_p), ("scores", ctypes.c_void_p),
                ("status", ctypes.c_void_p), ("n_bad", ctypes.c_size_t), ("embeddings", ctypes.c_void_p),
                ("n_truncated", ctypes.c_size_t)]
