<?php

declare(strict_types=1);

/** The calls, in SQLite: each request has a process of its own. */
final class Store
{
    private ?PDO $connection = null;

    public function __construct(private string $path) {}

    public function connection(): PDO
    {
        if ($this->connection === null) {
            $this->connection = new PDO("sqlite:$this->path");
            $this->connection->exec('PRAGMA busy_timeout = 10000; PRAGMA synchronous = OFF');
        }
        return $this->connection;
    }

    public function create(): void
    {
        $this->connection()->exec('PRAGMA journal_mode = WAL');
        $this->connection()->exec('CREATE TABLE calls (
            id TEXT, number TEXT, token TEXT, conversation TEXT, destination TEXT,
            immediate INTEGER, final_at REAL, deliver_at REAL, reads INTEGER DEFAULT 0)');
        $this->connection()->exec('CREATE INDEX by_id ON calls (id)');
        $this->connection = null;
    }

    /** The first row of a query, or null. */
    public function row(string $query, array $values = []): ?object
    {
        $statement = $this->connection()->prepare($query);
        $statement->execute($values);
        return $statement->fetchObject() ?: null;
    }

    public function add(array $call): void
    {
        $columns = implode(', ', array_keys($call));
        $marks = implode(', ', array_fill(0, count($call), '?'));
        $this->connection()->prepare("INSERT INTO calls ($columns) VALUES ($marks)")->execute(array_values($call));
    }

    /** Takes the calls whose result is due; nobody else gets them. */
    public function takeDue(float $now): array
    {
        $query = 'UPDATE calls SET deliver_at = NULL WHERE deliver_at <= ? RETURNING *';
        $statement = $this->connection()->prepare($query);
        $statement->execute([$now]);
        return $statement->fetchAll(PDO::FETCH_OBJ);
    }
}
