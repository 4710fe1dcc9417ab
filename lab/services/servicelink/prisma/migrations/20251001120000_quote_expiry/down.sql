-- AlterTable
ALTER TABLE "Quote" DROP COLUMN "expiresAt";
