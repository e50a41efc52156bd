-- From schema 3, which kept the title of what Meta said and not the sentence, and counted events by state alone.
ALTER TABLE answer ADD COLUMN sentence TEXT;
ALTER TABLE answer ADD COLUMN field TEXT;
ALTER TABLE answer ADD COLUMN "index" INTEGER;

-- SCHEMA
