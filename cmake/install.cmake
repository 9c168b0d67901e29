# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where: libraries, header, command, pkg-config file and CMake package.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS mien_shared EXPORT mien-targets)
install(TARGETS mien_static ARCHIVE)
install(TARGETS mien_command RUNTIME)
# Where the command looks for the model that it runs when none is named.
install(DIRECTORY models/heads DESTINATION ${CMAKE_INSTALL_DATADIR}/mien/models)
install(FILES include/mien/mien.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mien)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Found from where the file lies, so that the installed tree can be moved.
file(RELATIVE_PATH prefix_from_pc /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/mien.pc.in ${PROJECT_BINARY_DIR}/mien.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mien.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mien)
install(EXPORT mien-targets NAMESPACE mien:: DESTINATION ${package_dir} FILE mien-config.cmake)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mien-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mien-config-version.cmake DESTINATION ${package_dir})
