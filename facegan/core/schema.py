"""The catalog's tables, as migrations: entry N takes a database from version N to N + 1."""

from __future__ import annotations

MIGRATIONS = (
    """
    CREATE TABLE search_results (
        id INTEGER PRIMARY KEY,
        url TEXT NOT NULL,
        query TEXT NOT NULL,
        source TEXT NOT NULL,
        rank INTEGER NOT NULL,
        page_url TEXT,
        title TEXT,
        creator TEXT,
        license TEXT,
        license_url TEXT,
        attribution TEXT,
        width INTEGER,
        height INTEGER,
        image_sha256 TEXT REFERENCES images (sha256),
        status TEXT NOT NULL DEFAULT 'pending',
        reason TEXT,
        fetched_at TEXT,
        UNIQUE (url, query, source)
    ) STRICT;
    CREATE INDEX search_results_by_query ON search_results (query, source, status);
    CREATE INDEX search_results_by_image ON search_results (image_sha256);

    CREATE TABLE images (
        sha256 TEXT PRIMARY KEY,
        path TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        format TEXT NOT NULL,
        phash TEXT,
        status TEXT NOT NULL DEFAULT 'pending',
        reason TEXT
    ) STRICT;

    CREATE TABLE faces (
        id INTEGER PRIMARY KEY,
        image_sha256 TEXT NOT NULL REFERENCES images (sha256),
        "left" REAL,
        top REAL,
        "right" REAL,
        bottom REAL,
        landmarks TEXT,
        score REAL,
        detector TEXT NOT NULL,
        path TEXT,
        sha256 TEXT,
        split TEXT NOT NULL DEFAULT 'train',
        status TEXT NOT NULL,
        reason TEXT,
        detail TEXT
    ) STRICT;
    CREATE INDEX faces_by_image ON faces (image_sha256);
    CREATE INDEX faces_by_status ON faces (status);

    CREATE TABLE outcomes (
        stage TEXT NOT NULL,
        item TEXT NOT NULL,
        config_hash TEXT NOT NULL,
        status TEXT NOT NULL,
        reason TEXT,
        detail TEXT,
        ms REAL NOT NULL,
        PRIMARY KEY (stage, item)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE shards (
        file TEXT PRIMARY KEY,
        sha256 TEXT NOT NULL,
        count INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        selection TEXT NOT NULL
    ) STRICT;

    CREATE TABLE runs (
        name TEXT PRIMARY KEY,
        iteration INTEGER NOT NULL,
        iterations INTEGER NOT NULL,
        seconds REAL NOT NULL,
        selection TEXT NOT NULL,
        status TEXT NOT NULL,
        updated_at TEXT NOT NULL
    ) STRICT;

    CREATE TABLE checkpoints (
        run TEXT NOT NULL REFERENCES runs (name),
        iteration INTEGER NOT NULL,
        path TEXT NOT NULL,
        PRIMARY KEY (run, iteration)
    ) STRICT;

    CREATE TABLE scores (
        id INTEGER PRIMARY KEY,
        run TEXT NOT NULL,
        iteration INTEGER NOT NULL,
        measure TEXT NOT NULL,
        value REAL NOT NULL,
        details TEXT NOT NULL,
        created_at TEXT NOT NULL
    ) STRICT;
    """,
    """
    CREATE TABLE scrapes (
        id INTEGER PRIMARY KEY,
        query TEXT NOT NULL,
        source TEXT NOT NULL,
        settings TEXT NOT NULL,
        agent TEXT NOT NULL,
        began_at TEXT NOT NULL,
        ended_at TEXT
    ) STRICT;
    ALTER TABLE search_results ADD COLUMN filters TEXT;
    ALTER TABLE search_results ADD COLUMN scrape INTEGER REFERENCES scrapes (id);

    CREATE TABLE forgotten (
        kind TEXT NOT NULL,
        value TEXT NOT NULL,
        forgotten_at TEXT NOT NULL,
        PRIMARY KEY (kind, value)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE selections (
        selection TEXT NOT NULL,
        face_sha256 TEXT NOT NULL,
        image_sha256 TEXT NOT NULL,
        split TEXT NOT NULL,
        PRIMARY KEY (selection, face_sha256, image_sha256)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX selections_by_image ON selections (image_sha256);
    """,
    """
    CREATE TABLE lost_images (
        url TEXT NOT NULL,
        image_sha256 TEXT NOT NULL REFERENCES images (sha256),
        PRIMARY KEY (url, image_sha256)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX lost_images_by_image ON lost_images (image_sha256);
    CREATE VIEW led_to (result, image_sha256) AS
        SELECT id, image_sha256 FROM search_results WHERE image_sha256 IS NOT NULL
        UNION ALL
        SELECT id, lost_images.image_sha256 FROM lost_images JOIN search_results USING (url)
        WHERE search_results.image_sha256 IS NOT lost_images.image_sha256;
    """,
    """
    ALTER TABLE faces ADD COLUMN size_px REAL;
    ALTER TABLE faces ADD COLUMN sharpness REAL;
    ALTER TABLE faces ADD COLUMN exposure REAL;
    ALTER TABLE faces ADD COLUMN yaw REAL;
    ALTER TABLE faces ADD COLUMN roll REAL;
    ALTER TABLE faces ADD COLUMN padding REAL;
    ALTER TABLE faces ADD COLUMN upscale REAL;
    ALTER TABLE faces ADD COLUMN phash TEXT;
    ALTER TABLE faces ADD COLUMN cluster TEXT;
    ALTER TABLE faces ADD COLUMN auto_reason TEXT;
    ALTER TABLE faces ADD COLUMN auto_detail TEXT;
    ALTER TABLE faces ADD COLUMN review TEXT;
    UPDATE faces SET auto_reason = reason, auto_detail = detail;
    CREATE INDEX faces_by_cluster ON faces (cluster);
    CREATE INDEX faces_by_crop ON faces (sha256);

    CREATE TABLE reviews (
        id INTEGER PRIMARY KEY,
        image_sha256 TEXT NOT NULL,
        "left" REAL NOT NULL,
        top REAL NOT NULL,
        "right" REAL NOT NULL,
        bottom REAL NOT NULL,
        verdict TEXT NOT NULL,
        reviewed_at TEXT NOT NULL
    ) STRICT;
    CREATE INDEX reviews_by_image ON reviews (image_sha256);
    """,
    """
    CREATE TABLE crops (
        id INTEGER PRIMARY KEY,
        settings TEXT NOT NULL,
        words TEXT NOT NULL,
        detector TEXT NOT NULL,
        decided_under TEXT NOT NULL,
        began_at TEXT NOT NULL,
        ended_at TEXT
    ) STRICT;
    """,
)
