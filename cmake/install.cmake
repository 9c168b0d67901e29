# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where: libraries, headers, command, pkg-config file and CMake package.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS mien_shared EXPORT mien-targets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS mien_static ARCHIVE)
install(TARGETS mien_command RUNTIME)
if(TARGET mien_cuda) # by the name that libmien opens; nothing links it
  install(TARGETS mien_cuda LIBRARY NAMELINK_SKIP)
endif()
# Models and heads that the command opens by name.
install(DIRECTORY models/goemotions-small models/goemotions-tiny models/goemotions-minilm-l6-linear
                  models/goemotions-bge-small-linear models/heads
        DESTINATION ${CMAKE_INSTALL_DATADIR}/mien/models)
# What `mien pull` runs, and what it knows of encoders.
install(DIRECTORY models/encoders DESTINATION ${CMAKE_INSTALL_DATADIR}/mien/models)
install(FILES models/encoders.tsv DESTINATION ${CMAKE_INSTALL_DATADIR}/mien/models)
install(PROGRAMS models/pull.sh DESTINATION ${CMAKE_INSTALL_DATADIR}/mien/models)
install(FILES include/mien/mien.h include/mien/mien_cuda.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mien)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Found from where the file lies, so that the installed tree can be moved; unless the folders are fixed ones.
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR} OR IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
  set(pc_libdir ${CMAKE_INSTALL_FULL_LIBDIR})
  set(pc_includedir ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
  file(RELATIVE_PATH up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  set(pc_prefix "\${pcfiledir}/${up}")
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(cmake/mien.pc.in ${PROJECT_BINARY_DIR}/mien.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mien.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mien)
install(EXPORT mien-targets NAMESPACE mien:: DESTINATION ${package_dir} FILE mien-config.cmake)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mien-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mien-config-version.cmake DESTINATION ${package_dir})
