//! Rewrites a component: each imported function of its core module is called through a shim.
//!
//! The component gets one more import, `host-call: func(number: u32)`, in front of everything else, so that the indices
//! of types, functions, core functions and core instances of the component itself grow by one. In the core module the
//! import is the last one, and the shims follow the module's own functions.

use wasm_encoder::reencode::{self, Reencode, ReencodeComponent};
use wasm_encoder::{
    CanonicalFunctionSection, CanonicalOption, CodeSection, Component, ComponentImportSection,
    ComponentTypeRef, ComponentTypeSection, ComponentValType, EntityType, ExportKind, Function,
    FunctionSection, ImportSection, InstanceSection, Module, ModuleArg, ModuleSection, PrimitiveValType,
    RawSection, TypeSection, ValType,
};
use wasmparser::{CompositeInnerType, Parser, Payload, TypeRef};

use super::IMPORT;

/// The section id of a core module in a component.
const CORE_MODULE_SECTION: u8 = 1;
/// The core module with the program; the others, which `wit-component` adds, have only trampolines.
const PROGRAM: u32 = 0;

/// Why a component cannot be rewritten.
#[derive(Debug, thiserror::Error)]
#[error("the component cannot be rewritten: {0}")]
pub(crate) struct RewriteError(String);

impl<E: std::fmt::Display> From<reencode::Error<E>> for RewriteError {
    fn from(error: reencode::Error<E>) -> Self {
        Self(error.to_string())
    }
}

impl From<wasmparser::BinaryReaderError> for RewriteError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self(error.to_string())
    }
}

/// Rewrites `component`. `number` gives the number that a function reports, by its name.
pub(super) fn rewrite(component: &[u8], number: impl FnMut(String) -> u32) -> Result<Vec<u8>, RewriteError> {
    let mut rewritten = Component::new();
    let mut types = ComponentTypeSection::new();
    types.function().params([("number", PrimitiveValType::U32)]).result(None::<ComponentValType>);
    rewritten.section(&types);
    let mut imports = ComponentImportSection::new();
    imports.import(IMPORT, ComponentTypeRef::Func(0));
    rewritten.section(&imports);
    let mut functions = CanonicalFunctionSection::new();
    functions.lower(0, std::iter::empty::<CanonicalOption>());
    rewritten.section(&functions);
    let mut instances = InstanceSection::new();
    instances.export_items([(IMPORT, ExportKind::Func, 0)]);
    rewritten.section(&instances);
    let mut outer = Outer { number, depth: 0, modules: 0 };
    outer.parse_component(&mut rewritten, Parser::new(0), component)?;
    Ok(rewritten.finish())
}

/// Rewrites the component around the core module.
struct Outer<N> {
    number: N,
    /// 0 in the component itself; its components, and the types of its instances, have indices of their own.
    depth: u32,
    modules: u32,
}

impl<N> Outer<N> {
    fn shifted(&self, index: u32) -> u32 {
        if self.depth == 0 { index + 1 } else { index }
    }
}

impl<N: FnMut(String) -> u32> Reencode for Outer<N> {
    type Error = RewriteError;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error<RewriteError>> {
        Ok(self.shifted(function))
    }
}

impl<N: FnMut(String) -> u32> ReencodeComponent for Outer<N> {
    fn component_type_index(&mut self, ty: u32) -> u32 {
        self.shifted(ty)
    }

    fn component_func_index(&mut self, function: u32) -> u32 {
        self.shifted(function)
    }

    fn instance_index(&mut self, instance: u32) -> u32 {
        self.shifted(instance)
    }

    fn outer_component_type_index(&mut self, count: u32, ty: u32) -> u32 {
        if count == self.depth { ty + 1 } else { ty }
    }

    fn push_depth(&mut self) {
        self.depth += 1;
    }

    fn pop_depth(&mut self) {
        self.depth -= 1;
    }

    fn parse_component_submodule(
        &mut self,
        component: &mut Component,
        _: Parser,
        module: &[u8],
    ) -> Result<(), reencode::Error<RewriteError>> {
        let is_program = self.depth == 0 && self.modules == PROGRAM;
        self.modules += 1;
        if is_program {
            let rewritten = rewrite_module(module, &mut self.number).map_err(reencode::Error::UserError)?;
            component.section(&ModuleSection(&rewritten));
        } else {
            component.section(&RawSection { id: CORE_MODULE_SECTION, data: module });
        }
        Ok(())
    }

    fn parse_component_canonical(
        &mut self,
        section: &mut CanonicalFunctionSection,
        function: wasmparser::CanonicalFunction,
    ) -> Result<(), reencode::Error<RewriteError>> {
        use wasmparser::CanonicalFunction::{
            FutureCancelRead, FutureCancelWrite, StreamCancelRead, StreamCancelWrite,
        };
        // wasm-encoder 0.247 does not map the types of these four.
        match function {
            StreamCancelRead { ty, async_ } => section.stream_cancel_read(self.shifted(ty), async_),
            StreamCancelWrite { ty, async_ } => section.stream_cancel_write(self.shifted(ty), async_),
            FutureCancelRead { ty, async_ } => section.future_cancel_read(self.shifted(ty), async_),
            FutureCancelWrite { ty, async_ } => section.future_cancel_write(self.shifted(ty), async_),
            other => return reencode::component_utils::parse_component_canonical(self, section, other),
        };
        Ok(())
    }

    fn parse_instance(
        &mut self,
        instances: &mut InstanceSection,
        instance: wasmparser::Instance<'_>,
    ) -> Result<(), reencode::Error<RewriteError>> {
        let wasmparser::Instance::Instantiate { module_index: PROGRAM, args } = &instance else {
            return reencode::component_utils::parse_instance(self, instances, instance);
        };
        let mut arguments: Vec<_> =
            args.iter().map(|arg| (arg.name, ModuleArg::Instance(self.shifted(arg.index)))).collect();
        arguments.push((IMPORT, ModuleArg::Instance(0)));
        instances.instantiate(PROGRAM, arguments);
        Ok(())
    }
}

/// An imported function of the core module.
struct Imported {
    number: u32,
    /// Index of its type.
    ty: u32,
    /// How many parameters it has.
    parameters: u32,
}

/// Rewrites the core module.
struct Inner {
    imported: Vec<Imported>,
    /// Types of the module before.
    types: u32,
    /// Functions that the module defines.
    defined: u32,
}

fn rewrite_module(module: &[u8], number: &mut impl FnMut(String) -> u32) -> Result<Module, RewriteError> {
    let mut inner = Inner::read(module, number)?;
    let mut rewritten = Module::new();
    inner
        .parse_core_module(&mut rewritten, Parser::new(0), module)
        .map_err(|error| RewriteError(error.to_string()))?;
    Ok(rewritten)
}

impl Inner {
    fn read(module: &[u8], number: &mut impl FnMut(String) -> u32) -> Result<Self, RewriteError> {
        let mut parameters = Vec::new();
        let mut inner = Self { imported: Vec::new(), types: 0, defined: 0 };
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section {
                        for ty in group?.into_types() {
                            parameters.push(match ty.composite_type.inner {
                                CompositeInnerType::Func(ty) => u32::try_from(ty.params().len()).ok(),
                                _ => None,
                            });
                        }
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        let TypeRef::Func(ty) = import.ty else { continue };
                        let known = parameters.get(ty as usize).copied().flatten();
                        let parameters = known.ok_or_else(|| RewriteError("an unknown type".to_owned()))?;
                        let number = number(name(import.module, import.name));
                        inner.imported.push(Imported { number, ty, parameters });
                    }
                }
                Payload::FunctionSection(section) => inner.defined = section.count(),
                _ => {}
            }
        }
        inner.types = u32::try_from(parameters.len()).unwrap_or(u32::MAX);
        Ok(inner)
    }

    fn imports(&self) -> u32 {
        u32::try_from(self.imported.len()).unwrap_or(u32::MAX)
    }
}

impl Reencode for Inner {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error> {
        let imports = self.imports();
        // The import that counts follows the others, and the shims follow the module's own functions.
        Ok(if function < imports { imports + 1 + self.defined + function } else { function + 1 })
    }

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: wasmparser::TypeSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        reencode::utils::parse_type_section(self, types, section)?;
        types.ty().function([ValType::I32], []);
        Ok(())
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        reencode::utils::parse_import_section(self, imports, section)?;
        imports.import(IMPORT, IMPORT, EntityType::Function(self.types));
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        reencode::utils::parse_function_section(self, functions, section)?;
        for imported in &self.imported {
            functions.function(imported.ty);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        reencode::utils::parse_code_section(self, code, section)?;
        let count = self.imports();
        for (index, imported) in (0..).zip(&self.imported) {
            let mut shim = Function::new([]);
            let mut body = shim.instructions();
            body.i32_const(imported.number.cast_signed()).call(count);
            for parameter in 0..imported.parameters {
                body.local_get(parameter);
            }
            body.call(index).end();
            code.function(&shim);
        }
        Ok(())
    }
}

/// The name of an imported function: `waitable.join`, `stream.read`, `http/types fields.copy-all`.
///
/// The built-in functions of streams and futures are imported once for each type and interface; they get one name.
fn name(module: &str, field: &str) -> String {
    let field = field.replace("[async-lower]", "");
    if module.ends_with("$root") {
        let name = field.trim_matches(['[', ']']);
        return match name.rsplit_once('-') {
            Some((name, "0")) => name.to_owned(),
            _ => name.to_owned(),
        };
    }
    if let Some(built_in) = field.strip_prefix('[').and_then(|rest| rest.split(']').next())
        && (built_in.starts_with("stream-") || built_in.starts_with("future-"))
    {
        return built_in.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned();
    }
    let plain = field.replace("[method]", "").replace("[static]", "").replace("[constructor]", "new ");
    let plain = plain.replace("[resource-drop]", "drop ").replace("[task-return]", "task-return ");
    let interface = module.trim_start_matches("[export]").split('@').next().unwrap_or_default();
    format!("{} {plain}", interface.trim_start_matches("wasi:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_one_for_each_built_in_function() {
        for (module, field, expected) in [
            ("$root", "[waitable-join]", "waitable-join"),
            ("$root", "[context-get-0]", "context-get"),
            ("wasi:http/types@0.3.0", "[async-lower][stream-read-0][static]request.new", "stream-read"),
            ("wasi:cli/stdin@0.3.0", "[stream-drop-readable-0]read-via-stream", "stream-drop-readable"),
            ("wasi:http/types@0.3.0", "[future-new-12][static]request.new", "future-new"),
            ("wasi:http/types@0.3.0", "[method]fields.copy-all", "http/types fields.copy-all"),
            ("wasi:http/types@0.3.0", "[resource-drop]fields", "http/types drop fields"),
            ("wasi:http/client@0.3.0", "[async-lower]send", "http/client send"),
            ("spin:variables/variables@3.0.0", "[async-lower]get", "spin:variables/variables get"),
            ("[export]wasi:http/handler@0.3.0", "[task-return]handle", "http/handler task-return handle"),
        ] {
            assert_eq!(name(module, field), expected);
        }
    }
}
