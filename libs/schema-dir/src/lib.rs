//! A directory of schemas in place of a registry: SAL's interface files or ready Avro schemas, for `saltransform check`
//! and `init`, `salmock` and `kafkaefd salschema convert`.
//!
//! The contents of a directory decide which of three kinds it is:
//!
//! | directory | what is read |
//! |---|---|
//! | with a folder `sal_interfaces` (an XML repository, our `schemas/`) | that folder's `.xml`, and `interfaces/<Component>/*.avsc` beside it |
//! | `sal_interfaces` itself, or any folder with SAL's `.xml` files in it or one folder deeper | the same |
//! | with `<topic>.json` files, as `salschema convert --write` makes them | each is the Avro schema of that SAL topic |

mod args;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sal::avro::{self, FieldTypes, Options};
use sal::interface::{InterfaceError, Interfaces, SourceFile};
use sal::name::{Kind, NameError, TopicName};
use serde_json::Value;

pub use args::InterfacesArgs;

/// `sal_interfaces/<Component>/<file>` is two levels deep. A few more are allowed, a walk over the whole disk is not.
const MAX_DEPTH: usize = 4;

/// What a directory holds.
#[derive(Debug, Clone)]
pub enum SchemaDir {
    /// SAL's interface files, not yet parsed.
    Interfaces(Vec<SourceFile>),
    /// Avro schemas, by topic.
    Schemas(Vec<SchemaFile>),
}

/// A file `<topic>.json`.
#[derive(Debug, Clone)]
pub struct SchemaFile {
    /// The SAL topic, from the file's name.
    pub topic: TopicName,
    /// Its JSON text.
    pub text: String,
}

/// The schema of one SAL topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirSchema {
    /// The SAL topic.
    pub topic: TopicName,
    /// Its kind.
    pub kind: Kind,
    /// The Kafka topic of its Avro messages.
    pub kafka_topic: String,
    /// The registry's subject.
    pub subject: String,
    /// The Avro schema, JSON.
    pub text: String,
}

/// Schemas by topic, and the topics for which none could be made.
#[derive(Debug, Clone, Default)]
pub struct DirSchemas {
    /// In alphabetical order of their topics.
    pub schemas: Vec<DirSchema>,
    /// Why topics were left out.
    pub errors: Vec<InterfaceError>,
}

/// A directory cannot be used. Retrying does not help.
#[derive(Debug, thiserror::Error)]
pub enum SchemaDirError {
    /// The operating system refuses to read it.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds no schemas.
    #[error(
        "no schemas in {}: expected a folder sal_interfaces, SAL's interface files \
         (<Component>/<Component>_Telemetry.xml …) or Avro schemas (<topic>.json)",
        dir.display()
    )]
    Nothing {
        /// The directory.
        dir: PathBuf,
    },
    /// The name of a `.json` file is not a topic's.
    #[error("{} must be named <SAL topic>.json", path.display())]
    FileName {
        /// The file.
        path: PathBuf,
        /// Why the name is not valid.
        source: NameError,
    },
    /// A `.json` file does not contain JSON.
    #[error("{} is not the JSON text of an Avro schema", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
}

impl SchemaDir {
    /// Reads the files; parsing happens in [`SchemaDir::schemas`].
    pub fn read(dir: &Path) -> Result<SchemaDir, SchemaDirError> {
        let inside = dir.join("sal_interfaces");
        let (root, xml) = if inside.is_dir() {
            (dir.to_owned(), inside)
        } else {
            (root_of(dir), dir.to_owned())
        };
        let mut files = Vec::new();
        collect(&xml, "xml", 0, &mut files)?;
        if !files.is_empty() {
            let avro_files = root.join("interfaces");
            if avro_files.is_dir() {
                collect(&avro_files, "avsc", 0, &mut files)?;
            }
            let empty = folders_without(&xml, &files)?;
            let sources = files.into_iter().map(|path| source_file(&root, path));
            let sources = sources.chain(empty.into_iter().map(Ok));
            return Ok(SchemaDir::Interfaces(sources.collect::<Result<_, _>>()?));
        }
        let mut schemas = Vec::new();
        for path in entries(dir)?
            .into_iter()
            .filter(|path| path.extension().is_some_and(|e| e == "json"))
        {
            schemas.push(schema_file(path)?);
        }
        if schemas.is_empty() {
            return Err(SchemaDirError::Nothing { dir: dir.to_owned() });
        }
        Ok(SchemaDir::Schemas(schemas))
    }

    /// The SAL types that interface files give fields; of ready schemas none but their own are known.
    pub fn field_types(&self, options: &Options) -> FieldTypes {
        match self {
            SchemaDir::Schemas(_) => FieldTypes::default(),
            SchemaDir::Interfaces(files) => {
                let options = Options {
                    wire_extras: true,
                    ..options.clone()
                };
                FieldTypes::of(&avro::schemas(&Interfaces::read(files), &options))
            }
        }
    }

    /// The schemas of the wanted subsystems. Ready schemas are used unchanged: of `options`, only the subsystems and the
    /// naming of Kafka topics apply to them.
    pub fn schemas(&self, options: &Options) -> DirSchemas {
        let mut found = match self {
            SchemaDir::Interfaces(files) => {
                let interfaces = Interfaces::read(files);
                let mapping = avro::map(&interfaces, options);
                let schemas = mapping.schemas.into_iter().map(|schema| DirSchema {
                    kind: schema.kind,
                    kafka_topic: schema.kafka_topic,
                    subject: schema.subject,
                    text: schema.schema.to_string(),
                    topic: schema.topic,
                });
                let schemas = schemas.collect();
                DirSchemas {
                    schemas,
                    errors: interfaces.errors.into_iter().chain(mapping.errors).collect(),
                }
            }
            SchemaDir::Schemas(files) => {
                let wanted = |file: &&SchemaFile| {
                    options.subsystems.is_empty()
                        || options
                            .subsystems
                            .iter()
                            .any(|subsystem| subsystem == file.topic.component())
                };
                let schemas = files.iter().filter(wanted).map(|file| DirSchema {
                    kind: file.topic.kind(),
                    kafka_topic: options.dialect.kafka_topic(&file.topic, &options.subname),
                    subject: options.dialect.subject(&file.topic, &options.subname),
                    text: file.text.clone(),
                    topic: file.topic.clone(),
                });
                DirSchemas {
                    schemas: schemas.collect(),
                    errors: Vec::new(),
                }
            }
        };
        found.schemas.sort_by(|a, b| a.topic.cmp(&b.topic));
        found
    }
}

/// The parent folder if `dir` is `sal_interfaces` itself, otherwise `dir`.
fn root_of(dir: &Path) -> PathBuf {
    let absolute = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    match absolute.parent() {
        Some(parent) if absolute.file_name().is_some_and(|name| name == "sal_interfaces") => {
            parent.to_owned()
        }
        _ => dir.to_owned(),
    }
}

fn collect(
    dir: &Path,
    extension: &str,
    depth: usize,
    files: &mut Vec<PathBuf>,
) -> Result<(), SchemaDirError> {
    for path in entries(dir)? {
        if path.is_dir() {
            if depth < MAX_DEPTH {
                collect(&path, extension, depth + 1, files)?;
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            files.push(path);
        }
    }
    Ok(())
}

/// The component folders in which there is none of `files`: their components have only what `SALSubsystems.xml` says.
fn folders_without(xml: &Path, files: &[PathBuf]) -> Result<Vec<SourceFile>, SchemaDirError> {
    let folders = entries(xml)?.into_iter().filter(|path| path.is_dir());
    let empty = folders.filter(|folder| !files.iter().any(|file| file.starts_with(folder)));
    let name = |folder: PathBuf| Some(folder.file_name()?.to_string_lossy().into_owned());
    let source = |name: String| SourceFile {
        path: format!("sal_interfaces/{name}/"),
        bytes: Vec::new(),
    };
    Ok(empty.filter_map(name).map(source).collect())
}

/// The entries of a directory, sorted, without hidden ones.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, SchemaDirError> {
    let failed = |source| SchemaDirError::Read {
        path: dir.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn source_file(root: &Path, path: PathBuf) -> Result<SourceFile, SchemaDirError> {
    let bytes = fs::read(&path).map_err(|source| SchemaDirError::Read {
        path: path.clone(),
        source,
    })?;
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let absolute = path.canonicalize().unwrap_or_else(|_| path.clone());
    let relative = absolute.strip_prefix(root).unwrap_or(&path);
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    Ok(SourceFile {
        path: parts.join("/"),
        bytes,
    })
}

fn schema_file(path: PathBuf) -> Result<SchemaFile, SchemaDirError> {
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let topic = TopicName::new(stem).map_err(|source| SchemaDirError::FileName {
        path: path.clone(),
        source,
    })?;
    let text = fs::read_to_string(&path).map_err(|source| SchemaDirError::Read {
        path: path.clone(),
        source,
    })?;
    serde_json::from_str::<Value>(&text).map_err(|source| SchemaDirError::Json { path, source })?;
    Ok(SchemaFile { topic, text })
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use sal::name::Dialect;

    use super::*;

    fn schemas_folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas")
    }

    #[test]
    fn a_repository_and_its_sal_interfaces_folder_are_the_same() {
        let options = Options {
            subsystems: vec!["MTM1M3TS".to_owned()],
            ..Options::default()
        };
        let root = SchemaDir::read(&schemas_folder()).unwrap().schemas(&options);
        let folder = SchemaDir::read(&schemas_folder().join("sal_interfaces"))
            .unwrap()
            .schemas(&options);
        assert_eq!(root.schemas, folder.schemas);
        assert_eq!(root.schemas.len(), 17);
        assert_eq!(
            root.schemas.last().unwrap().subject,
            "lsst.sal.MTM1M3TS_thermalData-value"
        );
        assert!(root.errors.is_empty());
        let SchemaDir::Interfaces(files) = SchemaDir::read(&schemas_folder().join("sal_interfaces")).unwrap()
        else {
            panic!()
        };
        assert!(
            files
                .iter()
                .any(|file| file.path == "sal_interfaces/Test/Test_Events.xml")
        );
    }

    /// As the header services of ts_xml have it: a listing, and a folder with a README alone.
    #[test]
    fn a_folder_without_interface_files_is_a_component_with_generic_topics() {
        let dir = tempfile::tempdir().unwrap();
        let interfaces = dir.path().join("sal_interfaces");
        fs::create_dir_all(interfaces.join("Header")).unwrap();
        fs::write(interfaces.join("Header/README.md"), "").unwrap();
        let entry = |name: &str| {
            format!(
                "<SALSubsystem><Name>{name}</Name><IndexEnumeration>no</IndexEnumeration>\
                 <AddedGenerics>csc</AddedGenerics></SALSubsystem>"
            )
        };
        let listed = format!(
            "<SALSubsystemSet>{}{}</SALSubsystemSet>",
            entry("Header"),
            entry("Other")
        );
        fs::write(interfaces.join("SALSubsystems.xml"), listed).unwrap();
        let generics = "<SALObjects><SALEventSet>\
            <SALEvent><EFDB_Topic>SALGeneric_logevent_a</EFDB_Topic><Category>mandatory</Category></SALEvent>\
            <SALEvent><EFDB_Topic>SALGeneric_logevent_b</EFDB_Topic><Category>csc</Category></SALEvent>\
            </SALEventSet></SALObjects>";
        fs::write(interfaces.join("SALGenerics.xml"), generics).unwrap();
        let options = |subsystems: &[&str]| Options {
            dialect: Dialect::TsXml,
            subsystems: subsystems.iter().map(|name| (*name).to_owned()).collect(),
            ..Options::default()
        };
        for folder in [dir.path(), &interfaces] {
            let read = SchemaDir::read(folder).unwrap();
            let topics = |subsystems: &[&str]| {
                let found = read.schemas(&options(subsystems));
                assert!(found.errors.is_empty(), "{:?}", found.errors);
                let topics = found.schemas.iter().map(|schema| schema.kafka_topic.clone());
                topics.collect::<Vec<_>>().join(" ")
            };
            let of = |name: &str| {
                format!("lsst.sal.{name}.ackcmd lsst.sal.{name}.logevent_a lsst.sal.{name}.logevent_b")
            };
            assert_eq!(topics(&[]), of("Header"));
            assert_eq!(topics(&["Header"]), of("Header"));
            assert_eq!(topics(&["Other"]), of("Other"));
        }
    }

    #[test]
    fn a_folder_of_schemas_is_taken_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("T_logevent_a.json"), "{\"type\":\"record\"}").unwrap();
        fs::write(dir.path().join("U_b.json"), "{}").unwrap();
        fs::write(dir.path().join("README.md"), "").unwrap();
        let read = SchemaDir::read(dir.path()).unwrap();
        let options = Options {
            dialect: Dialect::TsXml,
            subsystems: vec!["T".to_owned()],
            ..Options::default()
        };
        let schemas = read.schemas(&options).schemas;
        let [schema] = schemas.as_slice() else {
            panic!("{schemas:?}")
        };
        assert_eq!(
            (schema.kafka_topic.as_str(), schema.kind),
            ("lsst.sal.T.logevent_a", Kind::Event)
        );
        assert_eq!(schema.text, "{\"type\":\"record\"}");
        assert_eq!(read.schemas(&Options::default()).schemas.len(), 2);
    }

    #[test]
    fn errors_say_what_a_schema_directory_is() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display().to_string();
        let refused = |path: &Path| {
            let error = SchemaDir::read(path).unwrap_err();
            let source = error.source().map(|source| format!(": {source}"));
            format!("{error}{}", source.unwrap_or_default()).replace(&at, "DIR")
        };
        assert_eq!(
            refused(dir.path()),
            "no schemas in DIR: expected a folder sal_interfaces, SAL's interface files \
             (<Component>/<Component>_Telemetry.xml …) or Avro schemas (<topic>.json)"
        );
        assert!(refused(&dir.path().join("none")).starts_with("cannot read DIR/none: "));
        fs::write(dir.path().join("T_a.json"), "{").unwrap();
        assert_eq!(
            refused(dir.path()),
            "DIR/T_a.json is not the JSON text of an Avro schema: EOF while parsing an object at line 1 column 1"
        );
        fs::write(dir.path().join("T-a.json"), "{}").unwrap();
        assert_eq!(
            refused(dir.path()),
            "DIR/T-a.json must be named <SAL topic>.json: a topic name has ASCII letters, digits and '_' only, not '-': \
             'T-a'"
        );
    }
}
