# BPF programs: clang compiles bpf/NAME.bpf.c against UAPI headers only, bpftool turns the object into a skeleton
# header. Programs embed nothing of the machine that built them.
find_program(CLANG NAMES clang-14 clang REQUIRED)
find_program(BPFTOOL bpftool PATHS /usr/sbin REQUIRED)

set(SKELETON_DIR ${CMAKE_BINARY_DIR}/skeletons)
file(MAKE_DIRECTORY ${SKELETON_DIR}/bpf)
file(GLOB BPF_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bpf/*.bpf.c)
file(GLOB BPF_HEADERS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bpf/*.h)
set(SKELETONS)
foreach(source ${BPF_SOURCES})
  get_filename_component(name ${source} NAME_WE)
  set(object ${SKELETON_DIR}/${name}.bpf.o)
  set(skeleton ${SKELETON_DIR}/bpf/${name}.skel.h)
  add_custom_command(OUTPUT ${object}
    COMMAND ${CLANG} -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -Wno-unused-function
            -I${CMAKE_SOURCE_DIR} -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -c ${source} -o ${object}
    DEPENDS ${source} ${BPF_HEADERS} VERBATIM)
  add_custom_command(OUTPUT ${skeleton}
    COMMAND sh -c "${BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${skeleton}"
    DEPENDS ${object} VERBATIM)
  list(APPEND SKELETONS ${skeleton})
endforeach()

add_custom_target(gatehouse_skeleton_files DEPENDS ${SKELETONS})
add_library(gatehouse_skeletons INTERFACE)
target_include_directories(gatehouse_skeletons SYSTEM INTERFACE ${SKELETON_DIR})
add_dependencies(gatehouse_skeletons gatehouse_skeleton_files)
