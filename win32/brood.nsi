; SPDX-License-Identifier: Apache-2.0
;
; The installer for 64-bit Windows. win32/installer calls makensis with
;
;   VERSION VERSION4  0.1.0 and 0.1.0.0
;   SOVERSION         the number in the name of the DLL
;   STAGE             the folder with all that is installed
;   OUTFILE           what is made
;   FILES             lists made from STAGE: the macros INSTALL_LIBRARIES,
;                     INSTALL_DEVELOPMENT, UNINSTALL_FILES and UNINSTALL_FOLDERS
;   SIZE              in KiB
;
; brood-setup.exe [/S] [/D=folder]     /S asks nothing. /D comes last and takes
;                                      no quotes, also with blanks in it.
; uninstall.exe [/S] [_?=folder]       removes what was installed, no file more.
;                                      With _? it ends only when it is done, and
;                                      leaves itself.

Unicode true
Target amd64-unicode
SetCompressor /SOLID lzma
ManifestSupportedOS all
RequestExecutionLevel admin

!include MUI2.nsh

!define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\brood"

Name "brood ${VERSION}"
OutFile "${OUTFILE}"
InstallDir "$PROGRAMFILES64\brood"
VIProductVersion "${VERSION4}"
VIAddVersionKey ProductName "brood"
VIAddVersionKey ProductVersion "${VERSION}"
VIAddVersionKey FileVersion "${VERSION}"
VIAddVersionKey FileDescription "Threads, processes and event loops"
VIAddVersionKey LegalCopyright "Apache License 2.0"

!define MUI_ABORTWARNING
!insertmacro MUI_PAGE_LICENSE "${STAGE}/share/licenses/brood/LICENSE.txt"
!insertmacro MUI_PAGE_COMPONENTS
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE English

!include "${FILES}"

Function .onInit
    SetRegView 64
    SetShellVarContext all
    ; Where it was the last time, unless /D says otherwise.
    ReadRegStr $0 HKLM "${KEY}" "InstallLocation"
    StrCmp $0 "" done
    StrCmp $INSTDIR "$PROGRAMFILES64\brood" 0 done
    StrCpy $INSTDIR $0
done:
FunctionEnd

Function un.onInit
    SetRegView 64
    SetShellVarContext all
FunctionEnd

; An older version goes first, with the files that this one has no more.
Section "-older version"
    ReadRegStr $0 HKLM "${KEY}" "InstallLocation"
    StrCmp $0 "" none
    IfFileExists "$0\uninstall.exe" 0 none
    ClearErrors
    ExecWait '"$0\uninstall.exe" /S _?=$0' $1
    IfErrors failed
    IntCmp $1 0 gone
failed:
    DetailPrint "The older version in $0 cannot be removed."
    SetErrorLevel 2
    Abort
gone:
    Delete "$0\uninstall.exe"
    RMDir "$0"
none:
SectionEnd

Section "Libraries" section_libraries
    SectionIn RO
    !insertmacro INSTALL_LIBRARIES
    SetOutPath "$INSTDIR"
    WriteUninstaller "$INSTDIR\uninstall.exe"
    WriteRegStr HKLM "${KEY}" "DisplayName" "brood ${VERSION}"
    WriteRegStr HKLM "${KEY}" "DisplayVersion" "${VERSION}"
    WriteRegStr HKLM "${KEY}" "Publisher" "The brood authors"
    WriteRegStr HKLM "${KEY}" "InstallLocation" "$INSTDIR"
    WriteRegStr HKLM "${KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
    WriteRegStr HKLM "${KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
    WriteRegDWORD HKLM "${KEY}" "EstimatedSize" ${SIZE}
    WriteRegDWORD HKLM "${KEY}" "NoModify" 1
    WriteRegDWORD HKLM "${KEY}" "NoRepair" 1
SectionEnd

Section "Headers and import libraries" section_development
    !insertmacro INSTALL_DEVELOPMENT
SectionEnd

LangString text_libraries ${LANG_ENGLISH} "brood, what it needs, and brood-worker.exe"
LangString text_development ${LANG_ENGLISH} "To build programs: headers, import and static libraries, files for CMake and pkg-config"
!insertmacro MUI_FUNCTION_DESCRIPTION_BEGIN
!insertmacro MUI_DESCRIPTION_TEXT ${section_libraries} $(text_libraries)
!insertmacro MUI_DESCRIPTION_TEXT ${section_development} $(text_development)
!insertmacro MUI_FUNCTION_DESCRIPTION_END

Section "Uninstall"
    ; A file in use would be left behind: then all of it stays.
    ClearErrors
    FileOpen $1 "$INSTDIR\bin\libbrood-${SOVERSION}.dll" a
    IfErrors 0 free
    IfFileExists "$INSTDIR\bin\libbrood-${SOVERSION}.dll" 0 gone
    DetailPrint "brood is in use."
    SetErrorLevel 2
    Abort
free:
    FileClose $1
gone:
    !insertmacro UNINSTALL_FILES
    Delete "$INSTDIR\uninstall.exe"
    SetOutPath "$TEMP"
    !insertmacro UNINSTALL_FOLDERS
    RMDir "$INSTDIR"
    DeleteRegKey HKLM "${KEY}"
SectionEnd
